/** The two columns of tokens: what is in sight, with the partners of the token in focus standing out. */
import { cssColour, FONT } from "../../dom/ink";
import { count, real, share } from "../../dom/numbers";
import { writeToken } from "../../dom/token_text";
import { say } from "../../language/say";
import type { DrawnHead } from "../../state/together";
import { type Columns, inSight, middleOf, type Room, type Side, WEIGHT_PX } from "./columns";
import { type Focus, partnersOf } from "./partners";

const PAD_PX = 10;
const EDGE_PX = 6;
const DOT_PX = 3;
const HEADING_PX = 8;
/** From the window's edge, clear of a name that stands on it. */
const COUNT_PX = 14;

export interface Names {
  rows: readonly string[];
  cols: readonly string[];
}

export interface Marks {
  focus: Focus | null;
  /** The name under the pointer, where another one is kept. */
  pointed: { side: Side; index: number } | null;
  /** The key that is kept together with a row. */
  key: number | null;
}

export function drawNames(
  context: CanvasRenderingContext2D,
  columns: Columns,
  names: Names,
  kind: "self" | "cross",
  heads: readonly DrawnHead[],
  marks: Marks,
  room: Room,
): void {
  context.textBaseline = "middle";
  const headings =
    kind === "cross" ? { rows: say("target looks"), cols: say("at the source") } : { rows: say("looks"), cols: say("at") };
  for (const side of ["rows", "cols"] as const) {
    drawSide(context, columns, side, names[side], heads, marks, room);
    drawHeading(context, columns, side, headings[side]);
  }
}

function drawSide(
  context: CanvasRenderingContext2D,
  columns: Columns,
  side: Side,
  names: readonly string[],
  heads: readonly DrawnHead[],
  { focus, pointed, key }: Marks,
  { width }: Room,
): void {
  const isLeft = side === "rows";
  const outwards = isLeft ? -1 : 1;
  const x = (isLeft ? columns.left_x : columns.right_x) + outwards * PAD_PX;
  const room = (isLeft ? x : width - x) - EDGE_PX - WEIGHT_PX;
  const partners = focus && focus.side !== side ? partnersOf(focus) : null;
  const tell = focus?.reading.isShare === false ? real : share;
  const [first, last] = inSight(columns, side);
  context.textAlign = isLeft ? "right" : "left";
  // All names first, then all weights: changing the font is what takes a canvas its time.
  context.font = FONT.token;
  const taken = new Map<number, number>();
  for (let index = first; index < last; index++) {
    const y = middleOf(columns, side, index);
    const isFocus = focus?.side === side && focus.index === index;
    if (isFocus || (pointed?.side === side && pointed.index === index))
      drawBox(context, columns, x, y, outwards * room, isFocus && focus.kept);
    const isKey = side === "cols" && index === key;
    const role = isLeft ? "--looks-at-ink" : "--looked-by-ink";
    const plain = !focus ? "--ink-2" : partners?.has(index) ? "--ink" : "--ink-3";
    context.fillStyle = cssColour(isFocus || isKey ? role : plain);
    taken.set(index, writeToken(context, names[index] ?? "", room, x, y));
  }
  context.direction = "ltr";
  if (partners) {
    context.font = FONT.small;
    for (const [index, { weight, lane }] of partners) {
      if (index < first || index >= last) continue;
      const [at, y] = [x + outwards * ((taken.get(index) ?? 0) + 12), middleOf(columns, side, index)];
      context.fillStyle = cssColour(heads[lane]?.colour ?? "--accent");
      context.fillRect(at - DOT_PX, y - DOT_PX, 2 * DOT_PX, 2 * DOT_PX);
      context.fillStyle = cssColour("--ink-2");
      context.fillText(tell(weight), at + outwards * (DOT_PX + 3), y);
    }
  }
  drawCounts(context, columns, side, names.length, partners, x);
}

function drawHeading(context: CanvasRenderingContext2D, columns: Columns, side: Side, words: string): void {
  context.font = FONT.strong;
  context.fillStyle = cssColour(side === "rows" ? "--looks-at-ink" : "--looked-by-ink");
  context.fillText(words, side === "rows" ? columns.left_x - PAD_PX : columns.right_x + PAD_PX, HEADING_PX);
}

/** What is out of sight above and below: tokens, or those that the token in focus is linked to. */
function drawCounts(
  context: CanvasRenderingContext2D,
  columns: Columns,
  side: Side,
  length: number,
  partners: ReadonlyMap<number, unknown> | null,
  x: number,
): void {
  const [first, last] = inSight(columns, side);
  const linked = partners && [...partners.keys()];
  const above = linked ? linked.filter((index) => index < first).length : first;
  const below = linked ? linked.filter((index) => index >= last).length : length - last;
  context.font = FONT.small;
  context.fillStyle = cssColour(linked ? "--ink" : "--ink-3");
  const words = (many: number) => (linked ? say("{n} linked", { n: count(many) }) : count(many));
  if (above) context.fillText(`▴ ${words(above)}`, x, columns.top - COUNT_PX);
  if (below) context.fillText(`▾ ${words(below)}`, x, columns.top + columns.height + COUNT_PX);
}

function drawBox(
  context: CanvasRenderingContext2D,
  { pitch }: Columns,
  x: number,
  y: number,
  reach: number,
  isKept: boolean,
): void {
  context.lineWidth = isKept ? 2 : 1;
  context.strokeStyle = cssColour(isKept ? "--ink" : "--ink-3");
  const [from, to] = [x - Math.sign(reach) * 4, x + reach + Math.sign(reach) * WEIGHT_PX * 0.1];
  context.strokeRect(Math.min(from, to), y - pitch / 2 + 1, Math.abs(to - from), pitch - 2);
}
