/** A picture, and beside it how much one token looks at each of its patches. */
import type { Ramp } from "../gl/ramp";
import { colourOf, type ScaleName } from "../gl/scale";
import { COLUMN_PT, type Drawing, heading, INK, MARGIN_PT, type Mark, type Measure } from "./drawing";
import { legendMarks } from "./matrix";

export interface PatchesFigure {
  title: string;
  notes: readonly string[];
  /** RGB. */
  picture: { bytes: Uint8Array; cols: number; rows: number };
  /** Row by row; the patches cover the picture but for what they leave at its right and lower edge. */
  weights: { values: Float32Array; cols: number; rows: number; covers: readonly [width: number, height: number] };
  /** The patch that looks, as a place in the weights; null where the token that looks is none. */
  looking: number | null;
  ramp: Ramp;
  scale: ScaleName;
  top: number;
  legend: string;
  format(value: number): string;
  /** Values have a sign: the middle of the ramp is 0. */
  signed?: boolean;
}

const GAP_PT = 10;

export function drawPatches(figure: PatchesFigure, measure: Measure): Drawing {
  const { title, notes, picture, weights, ramp, scale, top, looking } = figure;
  const { marks, y } = heading(title, notes, measure);
  const width = (COLUMN_PT - 2 * MARGIN_PT - GAP_PT) / 2;
  const pixel = width / picture.cols;
  const height = picture.rows * pixel;
  marks.push({ kind: "pixels", x: MARGIN_PT, y, width, height, ...picture });
  const bytes = new Uint8Array(3 * weights.values.length);
  weights.values.forEach((weight, place) => bytes.set(colourOf(ramp, weight, top, scale, figure.signed), 3 * place));
  const left = MARGIN_PT + width + GAP_PT;
  const [across, down] = [weights.covers[0] * pixel, weights.covers[1] * pixel];
  marks.push({ kind: "pixels", x: left, y, width: across, height: down, cols: weights.cols, rows: weights.rows, bytes });
  if (looking !== null) {
    const [side, rise] = [across / weights.cols, down / weights.rows];
    for (const x of [MARGIN_PT, left]) {
      const [from, above] = [x + (looking % weights.cols) * side, y + Math.floor(looking / weights.cols) * rise];
      marks.push(...box(from, above, side, rise, "#ffffff", 1.6), ...box(from, above, side, rise, INK.strong, 0.7));
    }
  }
  marks.push(...legendMarks(figure, MARGIN_PT, y + height + 10));
  return { title, width: COLUMN_PT, height: Math.ceil(y + height + 28), marks };
}

function box(x: number, y: number, width: number, height: number, colour: string, line: number): Mark[] {
  const corners = [x, y, x + width, y, x + width, y + height, x, y + height, x, y];
  return [0, 2, 4, 6].map((place): Mark => {
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = corners.slice(place, place + 4);
    return { kind: "line", x1, y1, x2, y2, colour, width: line };
  });
}
