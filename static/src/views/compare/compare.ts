/**
 * Two runs side by side, in the place of the one map and its panels: the chosen head in both, what changed between
 * them, the heads by how far they changed, and both texts.
 */
import { button, element, setText } from "../../dom/element";
import { signedShare } from "../../dom/numbers";
import { type Ramp, ZERO_STEP } from "../../gl/ramp";
import { shorten } from "../../language/letters";
import { say } from "../../language/say";
import type { Comparison, Side } from "../../state/compare";
import type { Explorer } from "../../state/explorer";
import { isUnderWay } from "../../state/run";
import { headName } from "../../state/sites";
import { type Store, watch } from "../../state/store";
import type { MapArea } from "../../tiles/cover";
import { mountChangedHeads } from "./heads";
import { mountComparePlot, type PlotName } from "./plot";
import { type OfRun, Readings } from "./readings";
import { mountChangedRows } from "./rows";
import { mountBothTexts } from "./tokens";

const LONGEST_TEXT = 60;

export function mountComparison(
  host: HTMLElement,
  explorer: Explorer,
  comparison: Comparison,
  first: OfRun,
  ramp: Store<Ramp>,
  diverging: Store<Ramp>,
): { tools: HTMLElement; shown(): (MapArea & { top: number }) | null } {
  const readings = new Readings(comparison, first);
  const name = element("h2", { class: "compare-name" });
  const distance = element("span", { class: "compare-distance" });
  const swap = button(say("Swap"), { class: "quiet", title: say("The second run becomes the first") }, () => comparison.swap());
  swap.hidden = explorer.shared !== null;
  const leave = button(say("Leave comparison"), { class: "quiet compare-leave" }, () => comparison.leave());
  const tools = element("div", { class: "compare-tools" });
  const note = element("p", { class: "compare-note", role: "status" });
  const head = element("header", { class: "compare-head" }, name, distance, element("span", { class: "spring" }), tools, swap, leave);

  const a = mapPlace("a", "A", say("Attention map of the first run"));
  const b = mapPlace("b", "B", say("Attention map of the second run"));
  const difference = mapPlace("difference", say("Difference, B − A"), say("What changed between the two maps"));
  const legend = mountLegend();
  difference.heading.append(legend);
  const rows = element("section", { class: "compare-rows", "aria-label": say("Rows that changed most") });
  const heads = element("section", { class: "compare-heads", "aria-label": say("Heads by change") });
  const texts = element("section", { class: "compare-texts", "aria-label": say("Both texts") });
  host.append(
    head,
    note,
    element("div", { class: "compare-maps" }, a.figure, b.figure, difference.figure, rows),
    heads,
    texts,
  );
  let isMounted = false;

  /** When it is first wanted: most pages compare nothing, and each plot's WebGL context would cost them 25 ms. */
  function mountParts(): void {
    isMounted = true;
    mountComparePlot(a.plot, "a", explorer, comparison, readings, ramp);
    mountComparePlot(b.plot, "b", explorer, comparison, readings, ramp);
    mountComparePlot(difference.plot, "difference", explorer, comparison, readings, diverging);
    mountChangedRows(rows, explorer, comparison);
    mountChangedHeads(heads, explorer, comparison);
    mountBothTexts(texts, explorer, comparison);
  }

  function show(): void {
    host.hidden = !comparison.isOn.value;
    if (host.hidden) return;
    if (!isMounted) mountParts();
    const chosen = explorer.selection.value;
    setText(name, chosen ? headName(chosen.site, chosen.head) : say("Comparison"));
    const found = comparison.head;
    setText(distance, found && found.distance !== null ? say("changed by {distance}", { distance: found.distance.toFixed(3) }) : "");
    distance.title = say(
      "Mean Jensen–Shannon distance of its rows in the two runs, 0 to 1, over the tokens that both have; sinks left out.",
    );
    for (const [side, place] of [["a", a], ["b", b]] as const) setText(place.title, titleOf(side));
    legend.hidden = comparison.found.value === null;
    const words = noteNow();
    setText(note, words);
    note.hidden = words === "";
    note.classList.toggle("map-trouble", comparison.problem.value !== null);
  }

  function titleOf(side: Side): string {
    const run = comparison.runOf(side);
    const model = explorer.models.value?.find(({ id }) => id === run.model)?.name ?? run.model ?? "";
    const text = run.picture ? say("A picture") : shorten(run.text ?? "", LONGEST_TEXT);
    const isSameModel = comparison.first.model === comparison.other.value.model;
    return `${side.toUpperCase()} · ${isSameModel ? text : `${model} · ${text}`}`;
  }

  function noteNow(): string {
    const { problem, other, found } = comparison;
    if (problem.value) return problem.value;
    if (other.value.failure) return say("The second run failed: {reason}", { reason: other.value.failure.message });
    if (isUnderWay(other.value)) return say("The second run is under way; its maps light up as they come.");
    if (isUnderWay(comparison.first)) return say("The first run is under way.");
    if (!found.value) return say("Comparing every head …");
    const place = found.value.sites.indexOf(explorer.selection.value?.site ?? "");
    const [read, shared] = [found.value.rows_read[place], found.value.rows_shared[place]];
    if (place < 0) return say("The second run has no such site.");
    if (read !== undefined && shared !== undefined && read < shared)
      return say("Changes are read from {read} of {shared} rows, spread evenly.", { read, shared });
    return "";
  }

  function mountLegend(): HTMLElement {
    const bar = element("canvas", { class: "legend-bar", width: 2 * ZERO_STEP + 1, height: 1, "aria-hidden": "true" });
    const [less, more] = [element("span"), element("span")];
    const paint = () => {
      const bytes = new Uint8ClampedArray(diverging.value.bytes.subarray(0, bar.width * 4));
      bar.getContext("2d")?.putImageData(new ImageData(bytes, bar.width, 1), 0, 0);
    };
    const label = () => {
      setText(less, say("less {difference}", { difference: signedShare(-readings.top.value) }));
      setText(more, say("{difference} more", { difference: signedShare(readings.top.value) }));
    };
    readings.top.subscribe(label);
    diverging.subscribe(paint);
    paint();
    label();
    return element("div", { class: "compare-legend" }, less, bar, more);
  }

  watch([comparison.other, comparison.found, comparison.problem, comparison.isOn, explorer.run, explorer.selection, explorer.models], show);
  show();
  return { tools, shown: () => readings.sight && { ...readings.sight, top: readings.top.value } };
}

function mapPlace(name: PlotName, title: string, label: string) {
  const words = element("h3", { class: "compare-title" }, title);
  const heading = element("header", { class: "compare-map-head" }, words);
  const plot = element("div", {
    class: "map-surface compare-plot",
    tabindex: 0,
    role: "application",
    "aria-label": `${label}: ${say("arrow keys move the crosshair, plus and minus zoom, 0 shows all, Enter keeps the pair")}`,
  });
  const figure = element(
    "div",
    { class: `compare-map compare-${name}` },
    heading,
    element("div", { class: "compare-place" }, plot),
  );
  return { figure, heading, title: words, plot };
}
