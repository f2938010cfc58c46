/**
 * One head's map at full resolution, with its tokens along both sides. Wheel or pinch zooms, a drag pans, hovering
 * reads one weight, a press keeps the pair: the row's token and the key it looks at.
 */
import { clearedContext, type HostSize, watchSize } from "../../dom/canvas";
import { element } from "../../dom/element";
import { oncePerFrame } from "../../dom/schedule";
import { announce, hideTooltip, showTooltip } from "../../dom/tooltip";
import type { Ramp } from "../../gl/ramp";
import { openSurface } from "../../gl/surface";
import { real, share } from "../../dom/numbers";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { massOf, readingOf, shownMap } from "../../state/reading";
import { isUnderWay, sequencesOf, type Site } from "../../state/run";
import type { MapState } from "../../state/shown";
import { type Store, watch } from "../../state/store";
import type { Floors } from "../../tiles/floors";
import type { HeadMap, Rectangles, Weights } from "../../tiles/rectangles";
import { isSink, topOfReading, topsOf } from "../../tiles/tops";
import type { Totals } from "../../tiles/totals";
import { type AxisLabels, axisLabels, drawAxes, guttersFor } from "../../plot/axes";
import { drawCrosshair, drawNumbers } from "../../plot/crosshair";
import { areaInSight, placePlot } from "../../plot/geometry";
import { handleMap, type Place, type Placed } from "../../plot/handling";
import { pictureOf } from "../../plot/picture";
import { numberIn, readWeight } from "../../plot/reading";
import { BAND_PX, barUnder, drawTotals, wordsOf } from "./totals";

interface Shown extends Placed {
  site: Site;
  map: HeadMap;
  labels: AxisLabels;
}

export function mountMap(
  host: HTMLElement,
  explorer: Explorer,
  rectangles: Rectangles,
  floors: Floors,
  totals: Totals,
  ramp: Store<Ramp>,
  diverging: Store<Ramp>,
  state: Store<MapState | null>,
): void {
  const heat = element("canvas", { class: "layer", "aria-hidden": "true" });
  const ink = element("canvas", { class: "layer", "aria-hidden": "true" });
  host.append(heat, ink);
  const surface = openSurface(heat, () => draw());
  let box: HostSize = { width: 0, height: 0, ratio: 1 };
  let shown: Shown | null = null;
  let pointed: Place | null = null;

  const draw = oncePerFrame(() => {
    host.hidden = explorer.view.value.drawing !== "map";
    shown = host.hidden ? null : arrange();
    const summed = isUnderWay(explorer.run.value) ? null : shown;
    // Of other readings a column's sum or a row's entropy would say nothing that has a name.
    const weighed = summed?.map.reading ? null : summed;
    totals.want(weighed?.site ?? null, weighed?.map ?? null);
    if (host.hidden) {
      floors.wantOfAll("map", []);
      return rectangles.wantOfAll("map", []);
    }
    const context = clearedContext(ink, box);
    surface.resize(Math.round(box.width * box.ratio), Math.round(box.height * box.ratio));
    if (!shown) {
      surface.draw({ quads: [], scale: "linear", ramp: ramp.value });
      return state.set(null);
    }
    const { site, map, labels, gutters, plot } = shown;
    const { view } = explorer;
    const keys = explorer.run.value.sequences[sequencesOf(site).columns];
    const { scale, sink } = view.value;
    const reading = readingOf(view.value);
    const mass = massOf(view.value);
    const colours = reading.isSigned ? diverging.value : ramp.value;
    const topOf = (here: readonly (Weights | undefined)[]) => topOfReading(site, keys, sink, here);
    const most = map.reading ? topOf : (topsOf(site, keys, sink)[map.head] ?? 1);
    const picture = pictureOf(site, map, plot, box.ratio, most, mass, rectangles, floors);
    const { top } = picture;
    surface.draw({ quads: picture.quads, scale, ramp: colours, signed: reading.isSigned });
    const marks = pointed ?? { row: activeRow(site), col: keptKey(site) };
    drawAxes(context, plot, labels, marks, gutters, BAND_PX);
    const margins = map.reading ? null : totals.of(site, map, rectangles);
    if (margins) drawTotals(context, plot, margins, (col) => !view.value.sink && isSink(site, keys, col), marks);
    const weightAt = (row: number, col: number) => readWeight(site, map, row, col, mass, rectangles, floors);
    drawNumbers(context, plot, site, top, scale, colours, weightAt, reading.isShare ? share : real, reading.isSigned);
    drawCrosshair(context, plot, marks);
    host.classList.toggle("zoomed", view.value.frame !== null);
    const failure = rectangles.failureOf(map)?.message ?? null;
    state.set({
      site,
      head: map.head,
      top,
      cell: picture.cell,
      ...areaInSight(plot, { rows: site.queries, cols: site.keys }),
      sharp: picture.sharp,
      zoomed: view.value.frame !== null,
      failure,
      floorsAwaited: picture.floorsAwaited,
      floorsFailure: floors.failureOf(map)?.message ?? null,
    });
  });

  function arrange(): Shown | null {
    const run = explorer.run.value;
    const selected = explorer.selection.value;
    const site = selected && run.sites.get(selected.site);
    if (!site || !run.id || selected.head >= site.heads || box.width === 0) return null;
    const size = { rows: site.queries, cols: site.keys };
    const labels = axisLabels(run, site);
    const gutters = guttersFor(labels, box, BAND_PX);
    const plot = placePlot(explorer.view.value.frame, size, box, gutters);
    return { site, map: shownMap(run, explorer.view.value, selected), size, labels, gutters, plot };
  }

  function activeRow(site: Site): number | null {
    const token = explorer.active.value;
    return token?.sequence === sequencesOf(site).rows && token.index < site.queries ? token.index : null;
  }

  function keptKey(site: Site): number | null {
    const { token, key } = explorer.view.value;
    return key !== null && key < site.keys && token?.sequence === sequencesOf(site).rows ? key : null;
  }

  function point(at: Place | null, event: PointerEvent | null): void {
    pointed = at;
    const rows = shown && sequencesOf(shown.site).rows;
    explorer.hover.set(at && rows ? { sequence: rows, index: at.row } : null);
    if (at && shown) {
      const { site, map, labels } = shown;
      const reading = readWeight(site, map, at.row, at.col, massOf(explorer.view.value), rectangles, floors);
      const number = numberIn(explorer.view.value, reading);
      const pair = `${labels.rows[at.row] ?? at.row} → ${labels.cols[at.col] ?? at.col}`;
      if (event && event.pointerType !== "touch")
        showTooltip(event.clientX, event.clientY, number, pair, say("row {row}, column {col}", { row: at.row, col: at.col }));
      else announce(`${pair}: ${number}`);
    } else hideTooltip();
    draw();
  }

  function pointAtBar(event: PointerEvent, x: number, y: number): void {
    const margins = shown && !shown.map.reading && totals.of(shown.site, shown.map, rectangles);
    const bar = shown && barUnder(shown.plot, x, y);
    const words = shown && margins && bar ? wordsOf(bar, margins, shown.labels) : [];
    if (words.length) showTooltip(event.clientX, event.clientY, ...words);
  }

  function toggleLock({ row, col }: Place): void {
    if (!shown) return;
    const { rows } = sequencesOf(shown.site);
    const { token, key } = explorer.view.value;
    const isKept = token?.sequence === rows && token.index === row && key === col;
    explorer.lock(isKept ? null : { sequence: rows, index: row }, col);
  }

  handleMap(host, {
    placed: () => shown && { ...shown, box },
    move(frame) {
      explorer.view.update((view) => ({ ...view, frame }));
      shown = arrange();
    },
    point,
    marked: () => pointed ?? { row: shown && activeRow(shown.site), col: null },
    press(at, event) {
      if (event.pointerType === "touch") point(at, null);
      toggleLock(at);
    },
    keep() {
      if (pointed) toggleLock(pointed);
    },
    beside: pointAtBar,
  });

  watchSize(host, (next) => {
    box = next;
    draw();
  });
  watch([explorer.run, explorer.view, explorer.selection, explorer.hover, ramp, diverging], draw);
  rectangles.onArrival(draw);
  floors.onArrival(draw);
  totals.onChange(draw);
}
