/** The explorer's panels as empty places; the views fill them. See the drawing in css/layout.css. */
import { divider } from "../dom/dividers";
import { element } from "../dom/element";
import { say } from "../language/say";

export interface Places {
  brand: HTMLElement;
  tools: HTMLElement;
  prompt: HTMLElement;
  writing: HTMLElement;
  heads: HTMLElement;
  headsTools: HTMLElement;
  headsPanel: HTMLElement;
  mapHead: HTMLElement;
  mapLine: HTMLElement;
  picture: HTMLElement;
  map: HTMLElement;
  links: HTMLElement;
  mapPanel: HTMLElement;
  mapFoot: HTMLElement;
  comparison: HTMLElement;
  next: HTMLElement;
  nextTitle: HTMLElement;
  nextTools: HTMLElement;
  nextPanel: HTMLElement;
  lens: HTMLElement;
  lensTools: HTMLElement;
  lensPanel: HTMLDetailsElement;
  measures: HTMLElement;
  measuresTools: HTMLElement;
  measuresPanel: HTMLElement;
  inside: HTMLElement;
  insideTools: HTMLElement;
  insidePanel: HTMLElement;
  chart: HTMLElement;
  chartTools: HTMLElement;
  chartPanel: HTMLDetailsElement;
  tokens: HTMLElement;
  tokensCaption: HTMLElement;
  tokensTools: HTMLElement;
  status: HTMLElement;
  tabs: HTMLElement;
}

export function layOutPage(app: HTMLElement): Places {
  const tools = element("div", { class: "tools" });
  const brand = element(
    "a",
    { class: "brand", href: "/" },
    element("span", { class: "lamp", "aria-hidden": "true" }),
    "Headlight",
  );
  const prompt = element("div", { class: "prompt-host" });

  const writing = element("section", { class: "writing", "aria-label": say("Writing"), hidden: true });

  const heads = element("div", { class: "panel-body heads-body" });
  const headsTools = element("div", { class: "panel-tools" });
  const chart = element("div", { class: "panel-body chart-body" });
  const chartTools = element("div", { class: "panel-tools" });
  const chartPanel = element(
    "details",
    { class: "panel-chart" },
    element("summary", {}, element("h2", {}, say("Heads by layer"))),
    chartTools,
    chart,
  );
  const headsPanel = element("div", { class: "column" }, panel("heads", say("Heads"), heads, headsTools), chartPanel);

  const mapHead = element("header", { class: "map-head" });
  const mapLine = element("p", { class: "map-line" });
  const map = element("div", {
    class: "map-surface map-body",
    tabindex: 0,
    role: "application",
    "aria-label": say(
      "Attention map: arrow keys move the crosshair, plus and minus zoom, 0 shows all, Enter keeps the weight",
    ),
  });
  const links = element("div", {
    class: "links-body",
    tabindex: 0,
    role: "application",
    "aria-label": say("Links between tokens: up and down walk the tokens, left and right change the side, Enter keeps"),
    hidden: true,
  });
  const mapFoot = element("footer", { class: "map-foot" });
  const picture = element("div", { class: "picture-body", hidden: true });
  const mapPlace = element("div", { class: "map-place" }, picture, map, links);
  const mapPanel = element(
    "section",
    { class: "panel panel-map", "aria-label": say("Map") },
    mapHead,
    mapLine,
    mapPlace,
    mapFoot,
  );

  const next = element("div", { class: "panel-body" });
  const nextTools = element("div", { class: "panel-tools" });
  const nextTitle = element("h2", {}, say("Next tokens"));
  const nextPanel = panel("next", nextTitle, next, nextTools);
  const lens = element("div", { class: "panel-body" });
  const lensTools = element("div", { class: "panel-tools" });
  const lensPanel = element(
    "details",
    { class: "panel panel-lens" },
    element("summary", {}, element("h2", {}, say("Lens"))),
    lensTools,
    lens,
  );
  const measures = element("div", { class: "panel-body" });
  const measuresTools = element("div", { class: "panel-tools" });
  const measuresPanel = panel("measures", say("This head"), measures, measuresTools);
  const inside = element("div", { class: "panel-body" });
  const insideTools = element("div", { class: "panel-tools" });
  const insidePanel = panel("inside", say("Inside this head"), inside, insideTools);

  const tokens = element("div", {
    class: "tokens-body",
    tabindex: 0,
    role: "group",
    "aria-label": say("Tokens: left and right arrows keep a token, Esc lets go"),
  });
  const tokensCaption = element("p", { class: "tokens-caption" });
  const tokensTools = element("div", { class: "panel-tools tokens-tools" });
  const tokensPanel = element(
    "section",
    { class: "panel panel-tokens", "aria-label": say("Tokens") },
    element("header", { class: "panel-head" }, element("h2", {}, say("Tokens")), tokensCaption, tokensTools),
    tokens,
  );
  const status = element("footer", { class: "status" });
  const tabs = element("nav", { class: "tabs", "aria-label": say("Panels") });

  const comparison = element("section", { class: "comparison", "aria-label": say("Comparison"), hidden: true });

  const bench = element(
    "div",
    { class: "bench" },
    headsPanel,
    divider({ property: "--heads-width", label: say("Width of the heads"), grows: "right", least_px: 180, most_px: 720 }),
    mapPanel,
    divider({
      property: "--side-width",
      label: say("Width of the side panels"),
      grows: "left",
      least_px: 240,
      most_px: 560,
    }),
    element(
      "div",
      { class: "side", tabindex: 0, role: "group", "aria-label": say("Probabilities and this head") },
      nextPanel,
      lensPanel,
      measuresPanel,
      insidePanel,
    ),
    comparison,
  );
  const tokensDivider = divider({
    property: "--tokens-height",
    label: say("Height of the tokens"),
    grows: "up",
    least_px: 80,
    most_px: 480,
  });
  const title = element("h1", { class: "visually-hidden" }, say("Headlight: what every attention head looks at"));

  app.replaceChildren(
    element("header", { class: "top" }, title, brand, element("span", { class: "spring" }), tools),
    prompt,
    writing,
    element("main", { class: "bench-and-tokens" }, bench, tokensDivider, tokensPanel),
    status,
    tabs,
  );
  return {
    brand,
    tools,
    prompt,
    writing,
    heads,
    headsTools,
    headsPanel,
    mapHead,
    mapLine,
    picture,
    map,
    links,
    mapPanel: mapPlace,
    mapFoot,
    comparison,
    next,
    nextTitle,
    nextTools,
    nextPanel,
    lens,
    lensTools,
    lensPanel,
    measures,
    measuresTools,
    measuresPanel,
    inside,
    insideTools,
    insidePanel,
    chart,
    chartTools,
    chartPanel,
    tokens,
    tokensCaption,
    tokensTools,
    status,
    tabs,
  };
}

/** A title that changes comes as an element of its own. */
function panel(name: string, title: string | HTMLElement, body: HTMLElement, tools?: HTMLElement): HTMLElement {
  const heading = typeof title === "string" ? element("h2", {}, title) : title;
  heading.id = `panel-${name}-title`;
  return element(
    "div",
    { class: `panel panel-${name}`, role: "group", "aria-labelledby": heading.id },
    element("header", { class: "panel-head" }, heading, tools ?? null),
    body,
  );
}
