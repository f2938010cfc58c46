/** A text token by token, each shaded by a share, for one column of a paper. */
import { COLUMN_PT, type Drawing, heading, hex, INK, MARGIN_PT, type Mark, type Measure } from "./drawing";

export interface FlowFigure {
  title: string;
  notes: readonly string[];
  /** `share` is how strongly it is shaded, 0 to 1; a framed one is the token that looks. */
  tokens: readonly { text: string; share: number; isFramed: boolean; breaksAfter: boolean }[];
  colour: readonly [number, number, number];
}

const TEXT_PT = 7.5;
const LINE_PT = 13;
const PAPER = 255;
/** Even the strongest tint leaves the letters readable. */
const STRONGEST = 0.5;

export function drawFlow({ title, notes, tokens, colour }: FlowFigure, measure: Measure): Drawing {
  const { marks, y: begin } = heading(title, notes, measure);
  const right = COLUMN_PT - MARGIN_PT;
  const letters: Mark[] = [];
  let [x, y] = [MARGIN_PT, begin + LINE_PT * 0.8];
  for (const { text, share, isFramed, breaksAfter } of tokens) {
    const width = measure(text, "mono", TEXT_PT);
    if (x + width > right && x > MARGIN_PT) [x, y] = [MARGIN_PT, y + LINE_PT];
    const box = { x, y: y - TEXT_PT * 0.95, width, height: TEXT_PT * 1.25 };
    if (share > 0) {
      const tint = colour.map((byte) => Math.round(PAPER + (byte - PAPER) * STRONGEST * Math.min(1, share)));
      marks.push({ kind: "rect", ...box, fill: hex(tint as [number, number, number]) });
    }
    if (isFramed) {
      const foot = box.y + box.height + 0.8;
      marks.push({ kind: "line", x1: x, y1: foot, x2: x + width, y2: foot, colour: INK.strong, width: 1 });
    }
    letters.push({ kind: "text", text, x, y, anchor: "start", font: "mono", size: TEXT_PT, colour: INK.strong });
    x += width;
    if (breaksAfter) [x, y] = [MARGIN_PT, y + LINE_PT];
  }
  return { title, width: COLUMN_PT, height: Math.ceil(y + LINE_PT * 0.6), marks: [...marks, ...letters] };
}
