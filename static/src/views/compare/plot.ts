/**
 * One of the three maps of a comparison: the head in the first run, in the second, or what changed between them. They
 * move together, and what is pointed at in one is marked in all. The difference stands on the first run's tokens.
 */
import { clearedContext, type HostSize, watchSize } from "../../dom/canvas";
import { element } from "../../dom/element";
import { oncePerFrame } from "../../dom/schedule";
import { announce, hideTooltip, showTooltip } from "../../dom/tooltip";
import type { Ramp } from "../../gl/ramp";
import { openSurface } from "../../gl/surface";
import { type AxisLabels, axisLabels, drawAxes, guttersFor } from "../../plot/axes";
import { drawCrosshair, drawNumbers } from "../../plot/crosshair";
import { areaInSight, placePlot } from "../../plot/geometry";
import { handleMap, type Place, type Placed } from "../../plot/handling";
import { pictureOf } from "../../plot/picture";
import { readWeight } from "../../plot/reading";
import type { Comparison, PairOfPlaces, Side } from "../../state/compare";
import type { Explorer } from "../../state/explorer";
import { frameThrough } from "../../state/partners";
import { sequencesOf, type Site } from "../../state/run";
import { type Store, watch } from "../../state/store";
import type { Frame } from "../../state/view";
import type { HeadMap } from "../../tiles/rectangles";
import { isSink, topsOf } from "../../tiles/tops";
import { differencePicture, drawDifferences } from "./difference";
import { drawAlone } from "./alone";
import type { Readings } from "./readings";
import { wordsOf } from "./words";

interface Shown extends Placed {
  site: Site;
  map: HeadMap;
  labels: AxisLabels;
}

export type PlotName = Side | "difference";

/** No threshold. */
const ALL = 1;

export function mountComparePlot(
  host: HTMLElement,
  name: PlotName,
  explorer: Explorer,
  comparison: Comparison,
  readings: Readings,
  ramp: Store<Ramp>,
): void {
  const heat = element("canvas", { class: "layer", "aria-hidden": "true" });
  const ink = element("canvas", { class: "layer", "aria-hidden": "true" });
  host.append(heat, ink);
  const surface = openSurface(heat, () => draw());
  /** Whose rows and columns these are. */
  const side: Side = name === "b" ? "b" : "a";
  let box: HostSize = { width: 0, height: 0, ratio: 1 };
  let shown: Shown | null = null;

  const draw = oncePerFrame(() => {
    shown = comparison.isOn.value ? arrange() : null;
    if (box.width === 0) return;
    const context = clearedContext(ink, box);
    surface.resize(Math.round(box.width * box.ratio), Math.round(box.height * box.ratio));
    if (!shown) return surface.draw({ quads: [], scale: "linear", ramp: ramp.value });
    const { site, map, labels, gutters, plot, size } = shown;
    const { scale } = explorer.view.value;
    const marks = marksNow();
    if (name === "difference") {
      const keys = comparison.first.sequences[sequencesOf(site).columns];
      const isLeftOut = (col: number) => !explorer.view.value.sink && isSink(site, keys, col);
      const mayCross = explorer.view.value.pairs !== "";
      const { quads, top } = differencePicture(site, map, plot, box.ratio, readings.differences, isLeftOut, mayCross);
      readings.top.set(top);
      readings.sight = areaInSight(plot, size);
      surface.draw({ quads, scale, ramp: ramp.value, signed: true });
      drawDifferences(context, plot, size, ramp.value, top, scale, (row, col) => readings.difference(map, site, row, col));
    } else {
      const top = topNow(site, map.head);
      const { rectangles, floors } = readings.of(name);
      surface.draw({ quads: pictureOf(site, map, plot, box.ratio, top, ALL, rectangles, floors).quads, scale, ramp: ramp.value });
      const weightAt = (row: number, col: number) => readWeight(site, map, row, col, ALL, rectangles, floors);
      drawNumbers(context, plot, site, top, scale, ramp.value, weightAt);
    }
    const { rows, columns } = sequencesOf(site);
    if (comparison.found.value)
      drawAlone(context, plot, size, comparison.partners(rows, side), comparison.partners(columns, side));
    drawAxes(context, plot, labels, marks, gutters, 0);
    drawCrosshair(context, plot, marks);
    host.classList.toggle("zoomed", explorer.view.value.frame !== null);
  });

  function arrange(): Shown | null {
    const run = comparison.runOf(side);
    const selected = explorer.selection.value;
    const site = selected && run.sites.get(selected.site);
    if (!site || !run.id || selected.head >= site.heads || box.width === 0) return null;
    const id = name === "difference" ? readings.compared.value : run.id;
    if (!id) return null;
    const size = { rows: site.queries, cols: site.keys };
    const labels = axisLabels(run, site);
    const gutters = guttersFor(widest(site.site) ?? labels, box, 0);
    const { frame } = explorer.view.value;
    const plot = placePlot(side === "b" ? moved(frame, site, "a") : frame, size, box, gutters);
    return { site, map: { run: id, ...selected }, size, labels, gutters, plot };
  }

  /** The tokens of both runs: with gutters for the longest, maps of as many tokens are equally large. */
  function widest(name: string): AxisLabels | null {
    const [a, b] = (["a", "b"] as const).map((either) => {
      const known = comparison.runOf(either).sites.get(name);
      return known && axisLabels(comparison.runOf(either), known);
    });
    return a && b ? { rows: [...a.rows, ...b.rows], cols: [...a.cols, ...b.cols] } : null;
  }

  function moved(frame: Frame | null, site: Site, from: Side): Frame | null {
    const { rows, columns } = sequencesOf(site);
    return frameThrough(frame, comparison.partners(rows, from), comparison.partners(columns, from));
  }

  /** One scale for both maps, so that equal colours are equal weights. */
  function topNow(site: Site, head: number): number {
    const tops = (["a", "b"] as const).map((either) => {
      const run = comparison.runOf(either);
      const known = run.sites.get(site.site);
      return known ? (topsOf(known, run.sequences[sequencesOf(known).columns], explorer.view.value.sink)[head] ?? 0) : 0;
    });
    return Math.max(...tops) || 1;
  }

  function marksNow(): { row: number | null; col: number | null } {
    const places = comparison.pointed.value ?? keptPlaces();
    return { row: places?.row[side] ?? null, col: places?.col[side] ?? null };
  }

  /** The kept pair is of the first run. */
  function keptPlaces(): PairOfPlaces | null {
    const { token, key } = explorer.view.value;
    const site = shown?.site;
    if (!site || token?.sequence !== sequencesOf(site).rows) return null;
    return comparison.placesOf(site, "a", token.index, key);
  }

  function point(at: Place | null, event: PointerEvent | null): void {
    const places = at && shown ? comparison.placesOf(shown.site, side, at.row, at.col) : null;
    comparison.pointed.set(places);
    if (!places || !shown) return hideTooltip();
    const lines = wordsOf(name, places, shown.site, explorer, comparison, readings);
    if (event && event.pointerType !== "touch") showTooltip(event.clientX, event.clientY, ...lines);
    else announce(lines.join(". "));
  }

  function setFrame(frame: Frame | null): void {
    const site = shown?.site;
    const ofFirst = side === "b" && site ? moved(frame, site, "b") : frame;
    explorer.view.update((view) => ({ ...view, frame: ofFirst }));
  }

  /** Keeps what is pointed at, as far as the first run has it. */
  function keep(): void {
    const places = comparison.pointed.value;
    if (!shown || places?.row.a == null) return;
    const { rows } = sequencesOf(shown.site);
    const { token, key } = explorer.view.value;
    const isKept = token?.sequence === rows && token.index === places.row.a && key === places.col.a;
    explorer.lock(isKept ? null : { sequence: rows, index: places.row.a }, places.col.a);
  }

  handleMap(host, {
    placed: () => shown && { ...shown, box },
    move(frame) {
      setFrame(frame);
      shown = arrange();
    },
    point,
    marked: marksNow,
    press(at, event) {
      point(at, event);
      keep();
    },
    keep,
  });

  watchSize(host, (next) => {
    box = next;
    draw();
  });
  const { other, found, pointed, isOn } = comparison;
  watch([explorer.run, explorer.view, explorer.selection, other, found, pointed, isOn, readings.compared, ramp], draw);
  readings.onArrival(draw);
}
