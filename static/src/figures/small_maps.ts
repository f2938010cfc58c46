/** Many small maps in rows, each in colours of its own scale, for one column of a paper. */
import { type Ramp, rampColour } from "../gl/ramp";
import { rampShare, type ScaleName } from "../gl/scale";
import { COLUMN_PT, type Drawing, heading, INK, MARGIN_PT, type Mark, type Measure } from "./drawing";

export interface SmallMap {
  values: Float32Array;
  cols: number;
  rows: number;
  top: number;
}

export interface SmallMapsFigure {
  title: string;
  notes: readonly string[];
  /** A line of maps for each name. */
  lines: readonly { name: string; maps: readonly SmallMap[] }[];
  ramp: Ramp;
  scale: ScaleName;
}

const NAME_PT = 6.5;
const NAMES_PT = 22;
const GAP_PT = 2;
/** A few heads would else become posters. */
const LARGEST_PT = 54;

export function drawSmallMaps({ title, notes, lines, ramp, scale }: SmallMapsFigure, measure: Measure): Drawing {
  const { marks, y: begin } = heading(title, notes, measure);
  const most = Math.max(1, ...lines.map(({ maps }) => maps.length));
  const side = Math.min(LARGEST_PT, (COLUMN_PT - 2 * MARGIN_PT - NAMES_PT) / most - GAP_PT);
  const left = MARGIN_PT + NAMES_PT;
  const name = (text: string, x: number, y: number, anchor: "middle" | "end"): Mark => {
    return { kind: "text", text, x, y, anchor, font: "sans", size: NAME_PT, colour: INK.faint };
  };
  let y = begin + NAME_PT;
  for (let head = 0; head < most; head++) marks.push(name(String(head), left + head * (side + GAP_PT) + side / 2, y, "middle"));
  y += 3;
  for (const line of lines) {
    const height = Math.max(0, ...line.maps.map(({ rows, cols }) => (side * rows) / cols));
    marks.push(name(line.name, left - 4, y + height / 2 + NAME_PT * 0.34, "end"));
    line.maps.forEach(({ values, cols, rows, top }, head) => {
      const bytes = new Uint8Array(3 * values.length);
      values.forEach((value, place) => bytes.set(rampColour(ramp, rampShare(value, top, scale)), 3 * place));
      const place = { x: left + head * (side + GAP_PT), y, width: side, height: (side * rows) / cols };
      marks.push({ kind: "pixels", ...place, cols, rows, bytes });
    });
    y += height + GAP_PT;
  }
  return { title, width: COLUMN_PT, height: Math.ceil(y + MARGIN_PT), marks };
}
