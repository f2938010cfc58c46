/** The grid's lines and letters: titles, numbers of layers and heads, places not lit yet, the chosen head's frame. */
import type { HeadRef } from "../../state/sites";
import { cssColour, FONT } from "../../dom/ink";
import type { GridLayout } from "./layout";

interface GridMarks {
  selected: HeadRef | null;
  hovered: HeadRef | null;
  hasArrived(site: string): boolean;
}

export function drawGridInk(context: CanvasRenderingContext2D, layout: GridLayout, marks: GridMarks): void {
  const { cell_px } = layout;
  context.textBaseline = "middle";
  context.font = FONT.small;
  context.fillStyle = cssColour("--ink-3");
  context.textAlign = "left";
  for (const { text, x, y } of layout.layers) context.fillText(text, x, y);
  context.textAlign = "center";
  for (const { text, x, y } of layout.heads) context.fillText(text, x, y);
  context.textAlign = "left";
  context.font = FONT.strong;
  context.fillStyle = cssColour("--ink-2");
  for (const { text, x, y } of layout.titles) context.fillText(text, x, y + 10);

  for (const cell of layout.cells) {
    const isSelected = cell.site === marks.selected?.site && cell.head === marks.selected.head;
    const isHovered = cell.site === marks.hovered?.site && cell.head === marks.hovered.head;
    context.lineWidth = 1;
    context.strokeStyle = cssColour(marks.hasArrived(cell.site) ? "--hairline" : "--hairline-faint");
    context.strokeRect(cell.x + 0.5, cell.y + 0.5, cell_px - 1, cell_px - 1);
    if (!isSelected && !isHovered) continue;
    context.lineWidth = isSelected ? 2 : 1;
    context.strokeStyle = cssColour(isSelected ? "--accent" : "--ink-3");
    context.strokeRect(cell.x - 1, cell.y - 1, cell_px + 2, cell_px + 2);
  }
}
