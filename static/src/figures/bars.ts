/** Named values as bars, for one column of a paper. */
import { COLUMN_PT, type Drawing, fit, heading, INK, MARGIN_PT, type Measure } from "./drawing";

export interface BarsFigure {
  title: string;
  notes: readonly string[];
  /** `length` is the share of the longest possible bar; without one a value stands alone. */
  bars: readonly { name: string; value: string; length: number | null }[];
}

const TEXT_PT = 7;
const ROW_PT = 11;
const NAME_ROOM = 96;
const VALUE_ROOM = 44;

export function drawBars({ title, notes, bars }: BarsFigure, measure: Measure): Drawing {
  const { marks, y: begin } = heading(title, notes, measure);
  let y = begin;
  y += 4;
  const room = COLUMN_PT - 2 * MARGIN_PT - NAME_ROOM - VALUE_ROOM;
  for (const { name, value, length } of bars) {
    const left = MARGIN_PT + NAME_ROOM;
    const text = fit(name, NAME_ROOM - 6, "mono", TEXT_PT, measure);
    marks.push({ kind: "text", text, x: MARGIN_PT, y, anchor: "start", font: "mono", size: TEXT_PT, colour: INK.strong });
    if (length !== null) {
      const bar = { kind: "rect", x: left, y: y - TEXT_PT * 0.72, height: TEXT_PT * 0.72 } as const;
      marks.push({ ...bar, width: room, fill: "#f0eee9" }, { ...bar, width: Math.max(0.3, room * length), fill: INK.bar });
    }
    const end = COLUMN_PT - MARGIN_PT;
    marks.push({ kind: "text", text: value, x: end, y, anchor: "end", font: "sans", size: TEXT_PT, colour: INK.strong });
    y += ROW_PT;
  }
  return { title, width: COLUMN_PT, height: Math.ceil(y), marks };
}
