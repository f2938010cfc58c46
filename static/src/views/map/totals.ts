/**
 * Above the map: how much each column's token is looked at, by all rows together. The rows need no such band: each
 * sums to 1. What the colour scale leaves out is left out of this one too: such a bar ends at the top. Only from exact weights, so only where the whole map is one tile.
 */
import { cssColour } from "../../dom/ink";
import type { Site } from "../../state/run";
import { columnArea, wholeMap } from "../../tiles/links";
import type { HeadMap, Rectangles, Weights } from "../../tiles/rectangles";
import type { Plot } from "./geometry";

export const TOTALS_PX = 22;
const GAP_PX = 4;
const known = new WeakMap<Weights, Float32Array>();

/** The band's height is kept before the weights are here, so that nothing moves when they come. */
export function totalsHeight(site: Site): number {
  return wholeMap(site) ? TOTALS_PX + GAP_PX : 0;
}

export function drawTotals(
  context: CanvasRenderingContext2D,
  plot: Plot,
  site: Site,
  map: HeadMap,
  rectangles: Rectangles,
  isSink: (col: number) => boolean,
  marked: number | null,
): void {
  const totals = columnTotals(site, map, rectangles);
  if (!totals) return;
  const most = totals.reduce((top, total, col) => (isSink(col) ? top : Math.max(top, total)), 0) || Math.max(...totals);
  const bottom = plot.y - GAP_PX;
  const width = Math.max(1, plot.cell_px - (plot.cell_px > 4 ? 1 : 0));
  context.save();
  context.beginPath();
  context.rect(plot.x, bottom - TOTALS_PX, plot.width, TOTALS_PX);
  context.clip();
  totals.forEach((total, col) => {
    const height = Math.min(1, total / most) * (TOTALS_PX - 2);
    context.fillStyle = cssColour(col === marked ? "--looked-by" : "--totals");
    context.fillRect(plot.x + (col - plot.col) * plot.cell_px, bottom - height, width, height);
  });
  context.restore();
}

/** Sums of the columns, or null while the exact map is not here. */
export function columnTotals(site: Site, map: HeadMap, rectangles: Rectangles): Float32Array | null {
  const weights = wholeMap(site) && rectangles.get(map, columnArea(site, 0));
  if (!weights) return null;
  const ready = known.get(weights);
  if (ready) return ready;
  const totals = new Float32Array(weights.width);
  weights.values.forEach((weight, index) => {
    const col = index % weights.width;
    totals[col] = (totals[col] ?? 0) + weight;
  });
  known.set(weights, totals);
  return totals;
}
