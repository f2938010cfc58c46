/** The frame around the map: which head this is, exact or pooled, the colour scale with its legend, and fit. */
import { button, element, setText } from "../../dom/element";
import { createMenu } from "../../dom/menu";
import { real, share } from "../../dom/numbers";
import { createSwitch } from "../../dom/switch";
import type { Ramp } from "../../gl/ramp";
import { weightAt } from "../../gl/scale";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { labelOf } from "../../state/labels";
import { massOf, readingOf } from "../../state/reading";
import type { MapState } from "../../state/shown";
import { headName, parseSite } from "../../state/sites";
import { derive, type Store, watch } from "../../state/store";
import type { Drawing, Scale } from "../../state/view";
import type { Floors } from "../../tiles/floors";
import type { Rectangles } from "../../tiles/rectangles";
import { mountReadingMenu } from "./reading_menu";

const SCALES: { value: Scale; label: string; detail: string }[] = [
  { value: "linear", label: say("linear"), detail: say("colour grows with the weight") },
  { value: "sqrt", label: say("sqrt"), detail: say("square root: shows faint weights too") },
  { value: "log", label: say("log"), detail: say("four powers of ten") },
];
/** Shares of each row that the strongest weights hold; 1 draws every weight. */
const MASSES = [1, 0.99, 0.95, 0.9, 0.8, 0.5];
/** In models with more than one kind of attention. */
const KINDS = {
  "encoder.self": say("encoder"),
  "decoder.self": say("decoder"),
  "decoder.cross": say("cross-attention"),
  "encoder.cross": "",
};

export function mountMapFrame(
  head: HTMLElement,
  foot: HTMLElement,
  explorer: Explorer,
  ramp: Store<Ramp>,
  diverging: Store<Ramp>,
  rectangles: Rectangles,
  floors: Floors,
  state: Store<MapState | null>,
): void {
  const name = element("h2", { class: "map-name" });
  const kind = element("span", { class: "map-kind" });
  const label = element("span", { class: "map-label" });
  const badge = element("span", { class: "badge" });
  const scale = createMenu(say("Colour scale"), (value) =>
    explorer.view.update((view) => ({ ...view, scale: value as Scale })),
  );
  const fit = button(say("Fit"), { class: "quiet map-fit", title: say("Show the whole map (0, or double-click)") }, () =>
    explorer.view.update((view) => ({ ...view, frame: null })),
  );
  const drawing = createSwitch(
    say("Drawn as"),
    [
      { value: "map", label: say("Map"), title: say("Every weight as a square (l)") },
      { value: "links", label: say("Links"), title: say("Lines between tokens (l)") },
    ],
    (value) => explorer.view.update((view) => ({ ...view, drawing: value as Drawing })),
  );
  head.append(name, kind, label, element("span", { class: "spring" }), badge, mountReadingMenu(head, explorer), scale.root, fit, drawing.root);

  const bar = element("canvas", { class: "legend-bar", width: 256, height: 1, "aria-hidden": "true" });
  const [low, middle, high] = [element("span"), element("span"), element("span")];
  const ticks = element("div", { class: "legend-ticks" }, low, middle, high);
  const legendScale = element("div", { class: "legend-scale" }, bar, ticks);
  const sink = element("button", { type: "button", class: "quiet legend-sink" });
  sink.addEventListener("click", () => explorer.view.update((view) => ({ ...view, sink: !view.sink })));
  const legend = element(
    "div",
    { class: "legend" },
    legendScale,
    sink,
  );
  const threshold = createMenu(say("Threshold"), (value) =>
    explorer.view.update((view) => ({ ...view, mass: Number(value) })),
  );
  threshold.root.classList.add("menu-up");
  const note = element("span", { class: "map-note", role: "status" });
  const again = button(say("Try again"), { class: "quiet", hidden: true }, () => {
    rectangles.retry();
    floors.retry();
  });
  foot.append(legend, threshold.root, note, again);

  function show(): void {
    const now = state.value;
    const { scale: shownScale, sink: sinkCounts } = explorer.view.value;
    const chosen = explorer.selection.value;
    drawing.choose(explorer.view.value.drawing);
    head.classList.toggle("waiting", now === null);
    foot.classList.toggle("waiting", now === null);
    const reading = readingOf(explorer.view.value);
    const site = chosen && parseSite(chosen.site);
    const ofLayer = site && reading.isOfLayer ? `L${site.layer}` : null;
    setText(name, chosen ? (ofLayer ?? headName(chosen.site, chosen.head)) : say("Map"));
    const isPair = [...explorer.run.value.sites.keys()].some((other) => other.startsWith("decoder.cross"));
    setText(
      kind,
      site && isPair ? KINDS[`${site.stack}.${site.kind}` as const] : "",
    );
    if (!now) {
      setText(label, "");
      return;
    }
    const found = labelOf(now.site, now.head);
    const words = found.value === null ? found.title : `${found.title} ${share(found.value)}`;
    setText(label, reading.isOfLayer ? say("all its heads together") : words);
    label.title = reading.isOfLayer ? "" : found.sentence;
    showBadge(now);
    const isMap = explorer.view.value.drawing === "map";
    fit.disabled = !now.zoomed;
    fit.hidden = !isMap;
    scale.root.hidden = !isMap;
    legendScale.hidden = !isMap;
    const tell = reading.isShare ? share : real;
    const least = reading.isSigned ? -now.top : shownScale === "log" ? weightAt(0, now.top, "log") : 0;
    setText(low, tell(least));
    setText(middle, reading.isSigned ? "0" : tell(weightAt(0.5, now.top, shownScale)));
    setText(high, tell(now.top));
    threshold.root.hidden = reading.name !== "attention";
    setText(sink, isMap ? sinkOnMap(now, sinkCounts) : sinkInLinks(now, sinkCounts));
    sink.title = isMap
      ? say(
          "Heads often rest on the first or on special tokens; left out of the scale they still show, in the last colour.",
        )
      : say("Heads often rest on the first or on special tokens; those lines are drawn fainter.");
    sink.setAttribute("aria-pressed", String(sinkCounts));
    setText(note, noteOf(now));
    const isTrouble = now.failure !== null || now.floorsFailure !== null;
    note.classList.toggle("map-trouble", isTrouble);
    again.hidden = !isTrouble;
  }

  function noteOf({ cell, failure, floorsAwaited, floorsFailure }: MapState): string {
    if (failure) return say("Exact values did not come. {reason}", { reason: failure });
    if (floorsFailure) return say("The threshold did not come, so it leaves nothing out. {reason}", { reason: floorsFailure });
    if (floorsAwaited)
      return say("The threshold is being worked out. Rows that show every weight until then: {n}", { n: floorsAwaited });
    const isPooled = massOf(explorer.view.value) < 1 && cell > 1;
    return isPooled ? say("Pooled: a cell stays where one of its weights may be kept.") : "";
  }

  function showBadge({ cell, sharp, failure }: MapState): void {
    const isExact = cell === 1 && sharp;
    badge.classList.toggle("badge-exact", isExact);
    // The overview is of the weights themselves.
    const isAwaited = !sharp && readingOf(explorer.view.value).name !== "attention";
    badge.hidden = isAwaited && failure !== null;
    if (isAwaited) {
      setText(badge, say("on its way"));
      badge.title = "";
      return;
    }
    setText(badge, isExact ? say("exact") : cell === 1 ? say("8-bit") : say("max of {n} × {n}", { n: cell }));
    badge.title = isExact
      ? explorer.isAsWritten
        ? say("Every weight in sight as it came with its token, off by .00001 at most.")
        : say("Every weight in sight is the exact float32 value.")
      : cell === 1
        ? say("The overview, in eight bits, while the exact weights are on their way.")
        : say("Pooled: each dot is the largest of {n} × {n} weights. Zoom in for exact ones.", { n: cell });
  }

  const colours = () => (readingOf(explorer.view.value).isSigned ? diverging.value : ramp.value);

  function paintLegend(): void {
    const context = bar.getContext("2d");
    context?.putImageData(new ImageData(new Uint8ClampedArray(colours().bytes), 256, 1), 0, 0);
  }

  function showScale(): void {
    const { value } = scaleName;
    scale.setChoices(SCALES, value);
    scale.setLabel(SCALES.find((known) => known.value === value)?.label ?? value);
  }

  function showThreshold(): void {
    const { value } = mass;
    threshold.setChoices(
      MASSES.map((share_) => ({
        value: String(share_),
        label: share_ === 1 ? say("every weight") : say("strongest {percent} %", { percent: Math.round(share_ * 100) }),
        detail:
          share_ === 1
            ? say("nothing is left out")
            : say("of each row the fewest weights that together hold {share} of it", { share: share(share_) }),
      })),
      String(value),
    );
    threshold.setLabel(
      value === 1 ? say("every weight") : say("strongest {percent} %", { percent: Math.round(value * 100) }),
    );
  }

  const mass = derive([explorer.view], () => explorer.view.value.mass);
  mass.subscribe(showThreshold);
  showThreshold();
  const scaleName = derive([explorer.view], () => explorer.view.value.scale);
  scaleName.subscribe(showScale);
  showScale();
  watch([state, explorer.view, explorer.run, explorer.selection], show);
  watch([ramp, diverging, derive([explorer.view], () => explorer.view.value.reading)], paintLegend);
  paintLegend();
  show();
}

function sinkOnMap({ site }: MapState, sinkCounts: boolean): string {
  if (sinkCounts) return say("all tokens in the scale");
  return site.kind === "self" ? say("first token not in the scale") : say("special tokens not in the scale");
}

function sinkInLinks({ site }: MapState, sinkCounts: boolean): string {
  if (sinkCounts) return say("all tokens alike");
  return site.kind === "self" ? say("first token fainter") : say("special tokens fainter");
}
