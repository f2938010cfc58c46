/** Tokens on two sides and a line for each weight between them, for one column of a paper. */
import { COLUMN_PT, type Drawing, fit, heading, INK, MARGIN_PT, type Mark, type Measure } from "./drawing";

export interface WeaveFigure {
  title: string;
  notes: readonly string[];
  rows: readonly string[];
  cols: readonly string[];
  heads: readonly { name: string; colour: string; values: Float32Array }[];
  /** Weaker lines than this are left out. */
  least: number;
  /** Columns where heads rest: their lines are fainter. */
  isFaint(col: number): boolean;
}

const NAME_PT = 6.5;
const LINE_PT = 9;
const SIDE_PT = 76;
const WIDEST_PT = 2;
const FAINT = 0.2;

export function drawWeave({ title, notes, rows, cols, heads, least, isFaint }: WeaveFigure, measure: Measure): Drawing {
  const { marks, y: begin } = heading(title, notes, measure);
  let y = begin;
  for (const { name, colour } of heads.length > 1 ? heads : []) {
    const place = { kind: "text", x: MARGIN_PT, y, anchor: "start", font: "sans", size: NAME_PT } as const;
    marks.push({ ...place, text: name, colour });
    y += NAME_PT * 1.4;
  }
  y += 4;
  const [left, right] = [MARGIN_PT + SIDE_PT, COLUMN_PT - MARGIN_PT - SIDE_PT];
  const middle = (index: number) => y + (index + 0.5) * LINE_PT;
  for (const { colour, values } of heads) {
    for (let row = 0; row < rows.length; row++)
      for (let col = 0; col < cols.length; col++) {
        const weight = values[row * cols.length + col] ?? 0;
        if (weight < least) continue;
        const ends = { x1: left + 3, y1: middle(row), x2: right - 3, y2: middle(col) };
        const opacity = Math.min(1, 0.15 + weight) * (isFaint(col) ? FAINT : 1);
        marks.push({ kind: "line", ...ends, colour, width: 0.3 + WIDEST_PT * weight, opacity });
      }
  }
  const name = (text: string, index: number, anchor: "start" | "end", x: number): Mark => ({
    kind: "text",
    text: fit(text, SIDE_PT, "mono", NAME_PT, measure),
    x,
    y: middle(index) + NAME_PT * 0.34,
    anchor,
    font: "mono",
    size: NAME_PT,
    colour: INK.plain,
  });
  marks.push(...rows.map((text, row) => name(text, row, "end", left)));
  marks.push(...cols.map((text, col) => name(text, col, "start", right)));
  const height = y + Math.max(rows.length, cols.length) * LINE_PT + MARGIN_PT;
  return { title, width: COLUMN_PT, height: Math.ceil(height), marks };
}
