/** A map with its tokens along both sides and the legend of its colours, for one column of a paper. */
import { type Ramp, rampColour } from "../gl/ramp";
import { rampShare, type ScaleName, signedRampColour, weightAt } from "../gl/scale";
import { COLUMN_PT, type Drawing, fit, heading, INK, MARGIN_PT, type Mark, type Measure } from "./drawing";

export interface MatrixFigure {
  title: string;
  /** What else must be known: the model, how it was pooled, what was left out. */
  notes: readonly string[];
  /** Row by row. */
  values: Float32Array;
  rows: readonly string[];
  cols: readonly string[];
  /** Values that nobody may see, as the cells right of a causal map's diagonal. */
  isMasked(row: number, col: number): boolean;
  ramp: Ramp;
  scale: ScaleName;
  /** The value that takes the last colour. */
  top: number;
  legend: string;
  format(value: number): string;
  /** Values are differences: the middle of the ramp is 0. */
  signed?: boolean;
}

const NOTE_PT = 6.5;
const NAME_PT = 6.5;
const LEAST_NAME_PT = 4;
const LONGEST_NAME_PT = 62;
const GAP = 3;
const LEGEND_PT = 90;
/** A short text in a wide column would else become a few giant squares. */
const LARGEST_CELL_PT = 18;

export function drawMatrix(figure: MatrixFigure, measure: Measure): Drawing {
  const { rows, cols } = figure;
  const { marks, y: begin } = heading(figure.title, figure.notes, measure);
  let y = begin;

  const longest = (names: readonly string[]) =>
    Math.min(LONGEST_NAME_PT, Math.max(0, ...names.map((name) => measure(name, "mono", NAME_PT))));
  const left = MARGIN_PT + longest(rows) + GAP;
  const above = longest(cols) + GAP;
  const cell = Math.min(LARGEST_CELL_PT, (COLUMN_PT - left - MARGIN_PT) / cols.length);
  const top = y + above;
  marks.push(...nameRows(rows, left - GAP, top, cell, measure), ...nameCols(cols, left, top - GAP, cell, measure));
  const [width, height] = [cell * cols.length, cell * rows.length];
  marks.push({ kind: "pixels", x: left, y: top, width, height, cols: cols.length, rows: rows.length, bytes: paint(figure) });
  marks.push(...frame(left, top, width, height));
  y = top + height + 14;
  marks.push(...legendMarks(figure, left, y));
  return { title: figure.title, width: COLUMN_PT, height: Math.ceil(y + 18), marks };
}

function paint({ values, rows, cols, isMasked, ramp, scale, top, signed = false }: MatrixFigure): Uint8Array {
  const bytes = new Uint8Array(3 * rows.length * cols.length);
  for (let row = 0; row < rows.length; row++)
    for (let col = 0; col < cols.length; col++) {
      const place = row * cols.length + col;
      const value = values[place] ?? 0;
      const colour = signed ? signedRampColour(ramp, value, top, scale) : rampColour(ramp, rampShare(value, top, scale));
      bytes.set(isMasked(row, col) ? ramp.masked : colour, 3 * place);
    }
  return bytes;
}

/** Where lines are narrower than the smallest letters, every so-many-th is named. */
function stepOf(cell: number): number {
  return Math.max(1, Math.ceil(LEAST_NAME_PT / cell));
}

function nameRows(names: readonly string[], right: number, top: number, cell: number, measure: Measure): Mark[] {
  const step = stepOf(cell);
  const size = Math.min(NAME_PT, cell * step);
  return names.flatMap((name, row): Mark[] => {
    if (row % step) return [];
    const text = fit(name, LONGEST_NAME_PT, "mono", size, measure);
    const y = top + (row + 0.5) * cell + size * 0.34;
    return [{ kind: "text", text, x: right, y, anchor: "end", font: "mono", size, colour: INK.plain }];
  });
}

function nameCols(names: readonly string[], left: number, bottom: number, cell: number, measure: Measure): Mark[] {
  const step = stepOf(cell);
  const size = Math.min(NAME_PT, cell * step);
  return names.flatMap((name, col): Mark[] => {
    if (col % step) return [];
    const text = fit(name, LONGEST_NAME_PT, "mono", size, measure);
    const x = left + (col + 0.5) * cell + size * 0.34;
    return [{ kind: "text", text, x, y: bottom, anchor: "start", font: "mono", size, colour: INK.plain, turn_deg: 90 }];
  });
}

function frame(x: number, y: number, width: number, height: number): Mark[] {
  const corners = [
    [x, y],
    [x + width, y],
    [x + width, y + height],
    [x, y + height],
  ] as const;
  return corners.map(([x1, y1], index) => {
    const [x2, y2] = corners[(index + 1) % 4] ?? [x, y];
    return { kind: "line", x1, y1, x2, y2, colour: INK.hairline, width: 0.5 };
  });
}

/** The colours with the values that they stand for. */
export function legendMarks(
  { ramp, scale, top, legend, format, signed = false }: Pick<
    MatrixFigure,
    "ramp" | "scale" | "top" | "legend" | "format" | "signed"
  >,
  x: number,
  y: number,
): Mark[] {
  const bytes = new Uint8Array(3 * 64);
  for (let step = 0; step < 64; step++) bytes.set(rampColour(ramp, step / 63), 3 * step);
  const text = (words: string, place: number, anchor: "start" | "middle" | "end"): Mark => ({
    kind: "text",
    text: words,
    x: place,
    y: y + 11,
    anchor,
    font: "sans",
    size: NOTE_PT,
    colour: INK.faint,
  });
  return [
    { kind: "pixels", x, y, width: LEGEND_PT, height: 4, cols: 64, rows: 1, bytes },
    text(signed ? format(-top) : scale === "log" ? format(weightAt(0, top, "log")) : "0", x, "start"),
    text(signed ? "0" : format(weightAt(0.5, top, scale)), x + LEGEND_PT / 2, "middle"),
    text(format(top), x + LEGEND_PT, "end"),
    { kind: "text", text: legend, x: x + LEGEND_PT + 8, y: y + 5, anchor: "start", font: "sans", size: NOTE_PT, colour: INK.faint },
  ];
}

