/** A table of named cells, each shaded by a share, with the legend of the colours; as wide as its columns need. */
import { luminance, type Ramp, rampColour } from "../gl/ramp";
import { COLUMN_PT, type Drawing, fit, heading, hex, INK, MARGIN_PT, type Mark, type Measure } from "./drawing";
import { legendMarks } from "./matrix";

export interface CellsFigure {
  title: string;
  notes: readonly string[];
  rows: readonly string[];
  cols: readonly string[];
  /** Row by row; an underlined one is marked. */
  cells: readonly { text: string; share: number; isMarked: boolean }[];
  ramp: Ramp;
  legend: string;
  format(value: number): string;
}

/** Both columns of a paper and the gap between them, 180 mm. */
const BOTH_COLUMNS_PT = 512;
const MANY_COLS = 7;
const TEXT_PT = 6.5;
const ROW_PT = 12;
const GAP = 3;
/** From here on black letters are easier to read than white ones. */
const MIDDLE_LUMINANCE = 0.179;

export function drawCells(figure: CellsFigure, measure: Measure): Drawing {
  const { rows, cols, cells, ramp } = figure;
  const width = cols.length > MANY_COLS ? BOTH_COLUMNS_PT : COLUMN_PT;
  const { marks, y: begin } = heading(figure.title, figure.notes, measure);
  const left = MARGIN_PT + Math.max(...rows.map((name) => measure(name, "sans", TEXT_PT))) + GAP;
  const cell = (width - left - MARGIN_PT) / cols.length;
  const baseline = (y: number) => y + ROW_PT * 0.68;
  const text = (words: string, x: number, y: number, colour: string, font: "sans" | "mono" = "mono"): Mark => ({
    kind: "text",
    text: fit(words, cell - 3, font, TEXT_PT, measure),
    x,
    y: baseline(y),
    anchor: "start",
    font,
    size: TEXT_PT,
    colour,
  });
  cols.forEach((name, col) => marks.push(text(name, left + col * cell + 1.5, begin, INK.plain)));
  rows.forEach((name, row) => {
    const y = begin + (row + 1) * ROW_PT;
    marks.push({ ...text("", left - GAP, y, INK.plain, "sans"), text: name, anchor: "end" } as Mark);
    cols.forEach((_, col) => {
      const { text: words = "", share = 0, isMarked = false } = cells[row * cols.length + col] ?? {};
      const colour = rampColour(ramp, share);
      const ink = luminance(colour) > MIDDLE_LUMINANCE ? "#000000" : "#ffffff";
      const x = left + col * cell;
      marks.push({ kind: "rect", x, y, width: cell - 0.5, height: ROW_PT - 0.5, fill: hex(colour) });
      const letters = text(words, x + 1.5, y, ink);
      marks.push(letters);
      if (!isMarked || letters.kind !== "text") return;
      const foot = baseline(y) + 1.4;
      const long = measure(letters.text, "mono", TEXT_PT);
      marks.push({ kind: "line", x1: x + 1.5, y1: foot, x2: x + 1.5 + long, y2: foot, colour: ink, width: 0.8 });
    });
  });
  const y = begin + (rows.length + 1) * ROW_PT + 8;
  marks.push(...legendMarks({ ...figure, scale: "linear", top: 1 }, left, y));
  return { title: figure.title, width, height: Math.ceil(y + 18), marks };
}
