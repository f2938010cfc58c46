/** The grid's lines and letters, of what is in sight: titles, numbers, captions, places not lit yet, marks of heads. */
import type { HeadRef } from "../../state/sites";
import { cssColour, FONT, pickColour } from "../../dom/ink";
import type { GridCell, GridLayout, GridText } from "./layout";
import { CAPTION_LINE_PX } from "./list";
import { cellsInSight } from "./walk";

export interface GridMarks {
  selected: GridCell | null;
  hovered: GridCell | null;
  picked: readonly HeadRef[];
  cellOf(ref: HeadRef): GridCell | null;
  hasArrived(site: string): boolean;
  captionOf(place: number): Caption;
}

/** What stands beneath a map; "" is nothing. */
export interface Caption {
  kind: string;
  name: string;
  value: string;
}

const BADGE_PX = 15;
const LEAST_FOR_BADGE_PX = 26;

export function drawGridInk(
  context: CanvasRenderingContext2D,
  layout: GridLayout,
  marks: GridMarks,
  top: number,
  bottom: number,
): void {
  const [from, to] = cellsInSight(layout, top, bottom);
  drawTexts(context, layout, top, bottom);
  const inSight = layout.cells.slice(from, to);
  outline(context, layout, inSight.filter(({ site }) => marks.hasArrived(site)), "--hairline");
  outline(context, layout, inSight.filter(({ site }) => !marks.hasArrived(site)), "--hairline-faint");
  if (layout.captions !== "none") for (let place = from; place < to; place++) drawCaption(context, layout, marks, place);
  frame(context, layout, marks.hovered, "--ink-3", 1);
  frame(context, layout, marks.selected, "--accent", 2);
  for (const [place, ref] of marks.picked.entries()) drawBadge(context, layout, marks.cellOf(ref), place);
}

function drawTexts(context: CanvasRenderingContext2D, layout: GridLayout, top: number, bottom: number): void {
  const write = ({ text, x, y }: GridText, down = 0) => {
    if (y + layout.line_px > top && y - layout.line_px < bottom) context.fillText(text, x, y + down);
  };
  context.textBaseline = "middle";
  context.font = FONT.small;
  context.fillStyle = cssColour("--ink-3");
  context.textAlign = "left";
  for (const text of layout.layers) write(text);
  context.textAlign = "center";
  for (const text of layout.heads) write(text);
  context.textAlign = "left";
  context.font = FONT.strong;
  context.fillStyle = cssColour("--ink-2");
  for (const text of layout.titles) write(text, 10);
}

/** One path for all of them: a stroke for each would take most of a frame's time. */
function outline(
  context: CanvasRenderingContext2D,
  { cell_px }: GridLayout,
  cells: readonly GridCell[],
  colour: `--${string}`,
): void {
  if (cells.length === 0) return;
  context.lineWidth = 1;
  context.strokeStyle = cssColour(colour);
  context.beginPath();
  for (const { x, y } of cells) context.rect(x + 0.5, y + 0.5, cell_px - 1, cell_px - 1);
  context.stroke();
}

function frame(
  context: CanvasRenderingContext2D,
  { cell_px }: GridLayout,
  cell: GridCell | null,
  colour: `--${string}`,
  width: number,
): void {
  if (!cell) return;
  context.lineWidth = width;
  context.strokeStyle = cssColour(colour);
  context.strokeRect(cell.x - 1, cell.y - 1, cell_px + 2, cell_px + 2);
}

function drawCaption(context: CanvasRenderingContext2D, layout: GridLayout, marks: GridMarks, place: number): void {
  const cell = layout.cells[place];
  if (!cell) return;
  const { kind, name, value } = marks.captionOf(place);
  const isOneLine = layout.captions === "line";
  const y = cell.y + layout.cell_px + CAPTION_LINE_PX / 2 + 1;
  context.font = FONT.small;
  context.textAlign = "left";
  context.fillStyle = cssColour("--ink-2");
  context.fillText(isOneLine ? `${kind} ${name}`.trim() : name, cell.x, y);
  context.fillStyle = cssColour("--ink-3");
  if (!isOneLine) return context.fillText(`${kind} ${value}`.trim(), cell.x, y + CAPTION_LINE_PX);
  context.textAlign = "right";
  context.fillText(value, cell.x + layout.cell_px, y);
}

/** The number of a picked head in its corner; small maps have room for the corner alone. */
function drawBadge(
  context: CanvasRenderingContext2D,
  { cell_px }: GridLayout,
  cell: GridCell | null,
  place: number,
): void {
  if (!cell) return;
  const right = cell.x + cell_px;
  context.fillStyle = pickColour(place);
  if (cell_px < LEAST_FOR_BADGE_PX) {
    const side = Math.round(cell_px * 0.55);
    context.beginPath();
    context.moveTo(right - side, cell.y);
    context.lineTo(right, cell.y);
    context.lineTo(right, cell.y + side);
    context.fill();
    return;
  }
  context.fillRect(right - BADGE_PX, cell.y, BADGE_PX, BADGE_PX);
  // Ink on paper inside the colour: no hue of the seven carries letters in both lights.
  context.fillStyle = cssColour("--paper");
  context.fillRect(right - BADGE_PX + 2, cell.y + 2, BADGE_PX - 4, BADGE_PX - 4);
  context.fillStyle = cssColour("--ink");
  context.font = FONT.strong;
  context.textAlign = "center";
  context.fillText(String(place + 1), right - BADGE_PX / 2, cell.y + BADGE_PX / 2 + 0.5);
}
