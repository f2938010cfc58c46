/** A share within a page of somebody else's: the chosen panels and nothing else. */
import "../css/embed.css";
import { element } from "../dom/element";
import { forgetColours } from "../dom/ink";
import { mountTooltip } from "../dom/tooltip";
import { divergingRampOf, type Ramp, rampOf } from "../gl/ramp";
import { say } from "../language/say";
import { Explorer } from "../state/explorer";
import { hasMapsToAskFor } from "../state/run";
import type { MapState } from "../state/shown";
import type { SharedPage } from "../state/sharing";
import { Store } from "../state/store";
import { openTheme } from "../state/theme";
import { Floors } from "../tiles/floors";
import { Rectangles } from "../tiles/rectangles";
import { Totals } from "../tiles/totals";
import { mountGrid } from "../views/grid/grid";
import { mountMap } from "../views/map/map";
import { mountProbabilities } from "../views/probabilities";
import { mountStrip } from "../views/strip/strip";

function openEmbed(app: HTMLElement): void {
  const shared = JSON.parse(app.dataset.shared ?? "") as SharedPage;
  const theme = openTheme(window);
  const ramp = new Store<Ramp>(rampOf(theme.value));
  const diverging = new Store<Ramp>(divergingRampOf(theme.value));
  theme.subscribe((name) => {
    forgetColours();
    ramp.set(rampOf(name));
    diverging.set(divergingRampOf(name));
  });
  const explorer = new Explorer(window, null, shared);
  const rectangles = new Rectangles();
  const floors = new Floors(rectangles);
  for (const readings of [rectangles, floors])
    explorer.run.subscribe((run) => readings.follow(run.id, !hasMapsToAskFor(run)));
  mountTooltip(document.body);

  const mount: Record<string, (host: HTMLElement) => void> = {
    heads(host) {
      const tools = element("div", { class: "panel-tools" });
      const body = element("div", { class: "panel-body heads-body" });
      host.append(tools, body);
      mountGrid(body, tools, explorer, ramp);
    },
    map(host) {
      const map = element("div", { class: "map-surface map-body", tabindex: 0, role: "application", "aria-label": say("Attention map") });
      host.append(element("div", { class: "map-place" }, map));
      mountMap(map, explorer, rectangles, floors, new Totals(), ramp, diverging, new Store<MapState | null>(null));
    },
    text(host) {
      const caption = element("p", { class: "tokens-caption" });
      const tools = element("div", { class: "panel-tools tokens-tools", hidden: true });
      const body = element("div", { class: "tokens-body", tabindex: 0, role: "group", "aria-label": say("Tokens") });
      host.append(caption, tools, body);
      mountStrip(body, caption, tools, explorer, rectangles);
    },
    next(host) {
      const tools = element("div", { class: "panel-tools", hidden: true });
      const body = element("div", { class: "panel-body" });
      host.append(tools, body);
      mountProbabilities(body, tools, explorer);
    },
  };
  const panels = (app.dataset.panels ?? "").split(" ").filter((name) => name in mount);
  const hosts = panels.map((name) => element("section", { class: `panel embed-${name}` }));
  const whole = element("a", { href: `/s/${shared.slug}`, target: "_blank", rel: "noreferrer" }, say("Open in Headlight"));
  const foot = element("footer", { class: "embed-foot" }, element("span", { dir: "auto" }, shared.title), whole);
  app.replaceChildren(...hosts, foot);
  explorer.connection.subscribe((connection) => {
    if (connection?.state === "refused") app.replaceChildren(element("p", { class: "embed-gone", role: "status" }, connection.reason));
  });
  panels.forEach((name, place) => mount[name]?.(hosts[place] as HTMLElement));
  void explorer.start();
}

const app = document.getElementById("app");
if (app) openEmbed(app);
