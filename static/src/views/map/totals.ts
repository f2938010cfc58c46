/**
 * Along the map: above it how much each column's token is looked at by all rows together, and right of it how widely
 * each row looks, its entropy; the sum of a row would say nothing, as it is 1. Far out a pixel shows the largest of
 * its tokens. What the colour scale leaves out is left out of the scale above, too: such a bar ends at the top.
 */
import { cssColour } from "../../dom/ink";
import { count } from "../../dom/numbers";
import { say } from "../../language/say";
import type { Margins } from "../../tiles/totals";
import type { AxisLabels, AxisMarks } from "../../plot/axes";
import type { Plot } from "../../plot/geometry";

const BAR_PX = 22;
const GAP_PX = 4;
/** Kept free above and right of the map before anything is known, so that nothing moves when it comes. */
export const BAND_PX = BAR_PX + GAP_PX;

export function drawTotals(
  context: CanvasRenderingContext2D,
  plot: Plot,
  margins: Margins,
  isSink: (col: number) => boolean,
  marks: AxisMarks,
): void {
  const { received, entropy, rows } = margins;
  if (received) {
    const most = largest(received, isSink) || largest(received);
    const bottom = plot.y - GAP_PX;
    for (const bar of barsInSight(received, plot.col, plot.cell_px, plot.width)) {
      const height = Math.min(1, bar.value / most) * BAR_PX;
      context.fillStyle = cssColour(isIn(bar, marks.col) ? "--looked-by" : "--totals");
      context.fillRect(plot.x + bar.at_px, bottom - height, bar.width_px, height);
    }
  }
  const most = largest(entropy) || 1;
  const left = plot.x + plot.width + GAP_PX;
  for (const bar of barsInSight(entropy.subarray(0, rows), plot.row, plot.cell_px, plot.height)) {
    context.fillStyle = cssColour(isIn(bar, marks.row) ? "--looks-at" : "--totals");
    context.fillRect(left, plot.y + bar.at_px, (bar.value / most) * BAR_PX, bar.width_px);
  }
}

export interface Bar {
  at_px: number;
  width_px: number;
  value: number;
  /** The tokens that it stands for, half-open. */
  range: readonly [number, number];
}

/** A bar for each token in sight, or, where several share a pixel, for each pixel: the largest of them. */
export function barsInSight(values: Float32Array, first: number, cell_px: number, length_px: number): Bar[] {
  const bars: Bar[] = [];
  if (cell_px >= 1) {
    const width = Math.max(1, cell_px - (cell_px > 4 ? 1 : 0));
    const stop = Math.min(values.length, Math.ceil(first + length_px / cell_px - 1e-6));
    for (let index = Math.floor(first); index < stop; index++) {
      const start = (index - first) * cell_px;
      const at_px = Math.max(0, start);
      const width_px = Math.min(start + width, length_px) - at_px;
      if (width_px > 0) bars.push({ at_px, width_px, value: values[index] ?? 0, range: [index, index + 1] });
    }
    return bars;
  }
  for (let pixel = 0; pixel < Math.floor(length_px); pixel++) {
    const start = Math.floor(first + pixel / cell_px);
    const stop = Math.min(values.length, Math.max(start + 1, Math.floor(first + (pixel + 1) / cell_px)));
    let value = 0;
    for (let index = start; index < stop; index++) value = Math.max(value, values[index] ?? 0);
    if (start < stop) bars.push({ at_px: pixel, width_px: 1, value, range: [start, stop] });
  }
  return bars;
}

/** The row or column whose bar is under a point: that of the first token, where a pixel shows several. */
export function barUnder(plot: Plot, x: number, y: number): { row: number } | { col: number } | null {
  const [right, bottom] = [plot.x + plot.width, plot.y + plot.height];
  if (y < plot.y && y >= plot.y - BAND_PX && x >= plot.x && x < right)
    return { col: Math.floor(plot.col + (x - plot.x) / plot.cell_px) };
  if (x >= right && x < right + BAND_PX && y >= plot.y && y < bottom)
    return { row: Math.floor(plot.row + (y - plot.y) / plot.cell_px) };
  return null;
}

/** What a bar says, its number first. */
export function wordsOf(bar: { row: number } | { col: number }, margins: Margins, labels: AxisLabels): string[] {
  if ("col" in bar) {
    const total = margins.received?.[bar.col];
    if (total === undefined) return [];
    const words = say("weight that {token} receives from all {n} rows", {
      token: labels.cols[bar.col] ?? bar.col,
      n: count(margins.rows),
    });
    return [total.toFixed(2), words, say("column {col}", { col: bar.col })];
  }
  if (bar.row >= margins.rows) return [];
  return [entropyWords(margins.entropy[bar.row] ?? 0), labels.rows[bar.row] ?? "", say("row {row}", { row: bar.row })];
}

/** Entropy in nats, and what that means in tokens. */
export function entropyWords(entropy: number): string {
  return say("spread over about {n} keys: entropy {nats} nats", {
    nats: entropy.toFixed(2),
    n: Math.exp(entropy).toFixed(1),
  });
}

function largest(values: Float32Array, isOut: (index: number) => boolean = () => false): number {
  return values.reduce((most, value, index) => (isOut(index) ? most : Math.max(most, value)), 0);
}

function isIn({ range }: Bar, index: number | null): boolean {
  return index !== null && index >= range[0] && index < range[1];
}
