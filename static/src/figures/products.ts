/** One weight taken apart, for one column of a paper: its products by dimension, then line by line to the weight. */
import { COLUMN_PT, type Drawing, fit, heading, INK, MARGIN_PT, type Mark, type Measure } from "./drawing";

export interface ProductsFigure {
  title: string;
  notes: readonly string[];
  /** By dimension; none where nobody knows what made the weight. */
  products: ArrayLike<number>;
  /** What stands at the ends of the bars. */
  endText: string;
  lines: readonly { name: string; operand: string; result: string }[];
}

const TEXT_PT = 7;
const LINE_PT = 10.5;
const BARS_PT = 96;
const NEGATIVE = "#c05621";

export function drawProducts({ title, notes, products, endText, lines }: ProductsFigure, measure: Measure): Drawing {
  const { marks, y: begin } = heading(title, notes, measure);
  const left = MARGIN_PT;
  const right = COLUMN_PT - MARGIN_PT;
  const write = (text: string, x: number, y: number, anchor: "start" | "end", isStrong = false): Mark => {
    const colour = isStrong ? INK.strong : INK.plain;
    return { kind: "text", text, x, y, anchor, font: "mono", size: TEXT_PT, colour };
  };
  let y = begin + 4;
  if (products.length > 0) {
    const most = Array.from(products).reduce((top, value) => Math.max(top, Math.abs(value)), 0) || 1;
    const step = (right - left) / products.length;
    const zero = y + BARS_PT / 2;
    for (let dimension = 0; dimension < products.length; dimension++) {
      const value = products[dimension] ?? 0;
      const height = (Math.abs(value) / most) * (BARS_PT / 2);
      const x = left + dimension * step;
      const fill = value < 0 ? NEGATIVE : INK.bar;
      marks.push({ kind: "rect", x, y: value < 0 ? zero : zero - height, width: step * 0.8, height, fill });
    }
    marks.push({ kind: "line", x1: left, x2: right, y1: zero, y2: zero, colour: INK.faint, width: 0.5 });
    y += BARS_PT + LINE_PT;
    marks.push(write(endText, left, y, "start"));
    y += LINE_PT * 1.4;
  }
  const middle = left + (right - left) * 0.68;
  for (const { name, operand, result } of lines) {
    marks.push(write(fit(name, (right - left) * 0.4, "mono", TEXT_PT, measure), left, y, "start", true));
    marks.push(write(operand, middle, y, "end"), write(`= ${result}`, right, y, "end", true));
    y += LINE_PT;
  }
  return { title, width: COLUMN_PT, height: Math.ceil(y), marks };
}
