/** The tokens along the map: rows on the left, columns on top, thinned until none touches its neighbour. */
import { cssColour, FONT } from "../dom/ink";
import { writeToken } from "../dom/token_text";
import { namesOf, type Run, sequencesOf, type Site } from "../state/run";
import { LONGEST_NAME } from "../state/text";
import type { Box, Gutters, Plot } from "./geometry";

export interface AxisLabels {
  rows: readonly string[];
  cols: readonly string[];
}

export interface AxisMarks {
  row: number | null;
  col: number | null;
}

const LINE_PX = 13;
const PAD_PX = 8;
const CHARACTER_PX = 7.3;
/** Columns this wide carry their token lying down. */
const LEVEL_PX = 52;

/** `band_px` is kept free between the columns' tokens and the plot, and on the plot's right. */
export function guttersFor(labels: AxisLabels, box: Box, band_px: number): Gutters {
  const side = (texts: readonly string[], most: number) => {
    const longest = texts.reduce((length, text) => Math.max(length, Math.min(LONGEST_NAME, text.length)), 2);
    return Math.round(Math.min(most, longest * CHARACTER_PX + PAD_PX * 2));
  };
  return {
    left: side(labels.rows, box.width * 0.24),
    top: side(labels.cols, box.height * 0.24) + band_px,
    right: band_px,
  };
}

export function drawAxes(
  context: CanvasRenderingContext2D,
  plot: Plot,
  labels: AxisLabels,
  marks: AxisMarks,
  gutters: Gutters,
  band_px: number,
): void {
  context.font = FONT.token;
  context.textBaseline = "middle";
  context.direction = "ltr";
  drawRows(context, plot, labels.rows, marks.row, gutters.left);
  drawColumns(context, plot, labels.cols, marks.col, gutters.top - band_px, band_px);
}

function drawRows(
  context: CanvasRenderingContext2D,
  plot: Plot,
  texts: readonly string[],
  marked: number | null,
  gutter: number,
): void {
  const right = plot.x - PAD_PX;
  const room = gutter - PAD_PX - 2;
  context.textAlign = "right";
  for (const row of shown(plot.row, plot.height, plot.cell_px, texts.length, marked)) {
    const y = plot.y + (row + 0.5 - plot.row) * plot.cell_px;
    if (y < plot.y || y > plot.y + plot.height) continue;
    context.fillStyle = cssColour(row === marked ? "--looks-at-ink" : "--ink-2");
    writeToken(context, texts[row] ?? "", room, right, y);
  }
}

function drawColumns(
  context: CanvasRenderingContext2D,
  plot: Plot,
  texts: readonly string[],
  marked: number | null,
  gutter: number,
  band_px: number,
): void {
  const isLevel = plot.cell_px >= LEVEL_PX;
  const room = isLevel ? plot.cell_px - 4 : gutter - PAD_PX - 2;
  for (const col of shown(plot.col, plot.width, plot.cell_px, texts.length, marked)) {
    const x = plot.x + (col + 0.5 - plot.col) * plot.cell_px;
    if (x < plot.x || x > plot.x + plot.width) continue;
    context.save();
    context.translate(x, plot.y - PAD_PX - band_px);
    context.fillStyle = cssColour(col === marked ? "--looked-by-ink" : "--ink-2");
    context.textAlign = isLevel ? "center" : "left";
    if (!isLevel) context.rotate(-Math.PI / 2);
    writeToken(context, texts[col] ?? "", room, 0, isLevel ? -PAD_PX / 2 : 0);
    context.restore();
  }
}

/** Every label, or every second, fifth, tenth … one; never one that would touch the marked one. */
function shown(first: number, length_px: number, cell_px: number, count: number, marked: number | null): number[] {
  const step = stepFor(cell_px);
  const last = Math.min(count, Math.ceil(first + length_px / cell_px));
  const indices: number[] = [];
  for (let index = Math.ceil(Math.floor(first) / step) * step; index < last; index += step) {
    if (marked === null || Math.abs(index - marked) * cell_px >= LINE_PX) indices.push(index);
  }
  if (marked !== null && marked >= Math.floor(first) && marked < last) indices.push(marked);
  return indices;
}

function stepFor(cell_px: number): number {
  for (let power = 1; ; power *= 10) {
    for (const step of [power, 2 * power, 5 * power]) if (step * cell_px >= LINE_PX) return step;
  }
}

/**
 * The newest token of a text that is being written has no row yet. A sequence that is shorter than its map, which
 * should not happen, is numbered rather than named wrongly.
 */
export function axisLabels(run: Run, site: Site): AxisLabels {
  const { rows, columns } = sequencesOf(site);
  const side = (names: readonly string[], length: number) =>
    names.length >= length ? names.slice(0, length) : Array.from({ length }, (_, index) => String(index));
  return { rows: side(namesOf(run, rows), site.queries), cols: side(namesOf(run, columns), site.keys) };
}
