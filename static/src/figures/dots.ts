/** One value of every head by layer, for one column of a paper. */
import { COLUMN_PT, type Drawing, heading, INK, MARGIN_PT, type Mark, type Measure } from "./drawing";

export type DotShape = "square" | "flat" | "upright";

export interface DotsFigure {
  title: string;
  notes: readonly string[];
  /** In layers, and in the units of the value. */
  dots: readonly { x: number; y: number; shape: DotShape; isMarked: boolean }[];
  xTitle: string;
  /** Of the value's axis: what stands at its end, and that end. */
  topText: string;
  top: number;
  layers: number;
}

const TEXT_PT = 6.5;
const PLOT_PT = 130;
const AXIS_ROOM = 26;
const MOST_TICKS = 16;
const SIZES: Record<DotShape, [width: number, height: number]> = {
  square: [2.2, 2.2],
  flat: [3.2, 1.4],
  upright: [1.4, 3.2],
};

export function drawDots(figure: DotsFigure, measure: Measure): Drawing {
  const { title, notes, dots, xTitle, topText, top, layers } = figure;
  const { marks, y: begin } = heading(title, notes, measure);
  const left = MARGIN_PT + AXIS_ROOM;
  const right = COLUMN_PT - MARGIN_PT;
  const floor = begin + 6 + PLOT_PT;
  const xOf = (layer: number) => left + ((layer + 0.6) / (layers + 0.2)) * (right - left);
  const yOf = (value: number) => floor - (value / top) * PLOT_PT;
  const write = (text: string, x: number, y: number, anchor: "middle" | "end"): Mark => {
    return { kind: "text", text, x, y, anchor, font: "sans", size: TEXT_PT, colour: INK.plain };
  };

  for (const part of [0, 0.5, 1]) {
    const y = yOf(part * top);
    marks.push({ kind: "line", x1: left, x2: right, y1: y, y2: y, colour: INK.hairline, width: 0.5 });
  }
  marks.push(write("0", left - 3, floor + 2, "end"), write(topText, left - 3, yOf(top) + 2, "end"));
  for (let layer = 0; layer < layers; layer += layers > MOST_TICKS ? 4 : 1)
    marks.push(write(String(layer), xOf(layer), floor + 9, "middle"));
  marks.push(write(xTitle, (left + right) / 2, floor + 18, "middle"));
  // Marked ones last: nothing lies over them.
  for (const { x, y, shape, isMarked } of [...dots].sort((a, b) => Number(a.isMarked) - Number(b.isMarked))) {
    const [width, height] = SIZES[shape].map((size) => size * (isMarked ? 2 : 1)) as [number, number];
    const fill = isMarked ? INK.strong : INK.bar;
    marks.push({ kind: "rect", x: xOf(x) - width / 2, y: yOf(y) - height / 2, width, height, fill });
  }
  return { title, width: COLUMN_PT, height: Math.ceil(floor + 18 + MARGIN_PT), marks };
}
