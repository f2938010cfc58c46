/** Finds cells by place, in time that hardly grows with the number of heads. */
import type { GridCell, GridLayout } from "./layout";

/** The cells from `from` up to `to`, without it, that reach into a part of the height. */
export function cellsInSight({ cells, line_px }: GridLayout, top: number, bottom: number): [from: number, to: number] {
  return [firstFrom(cells, top - line_px), firstFrom(cells, bottom)];
}

export function cellAt(layout: GridLayout, x: number, y: number): GridCell | null {
  const { cells, line_px, step_px } = layout;
  const line = cells[firstFrom(cells, Math.floor(y) + 1) - 1];
  if (!line || y >= line.y + line_px) return null;
  const [from, to] = lineOf(layout, line);
  const place = Math.floor((x - (cells[from]?.x ?? 0)) / step_px);
  return place >= 0 && from + place < to ? (cells[from + place] ?? null) : null;
}

/** The head one step away in the grid, or the same at its border. */
export function neighbour(layout: GridLayout, from: GridCell, dx: number, dy: number): GridCell {
  const { cells, flows, step_px } = layout;
  const [lineFrom, lineTo] = lineOf(layout, from);
  if (dx !== 0) {
    const place = lineFrom + Math.round((from.x - (cells[lineFrom]?.x ?? 0)) / step_px);
    const next = cells[place + dx];
    return next && (flows || next.site === from.site) ? next : from;
  }
  const beyond = cells[dy > 0 ? lineTo : lineFrom - 1];
  if (!beyond) return from;
  const [first, end] = lineOf(layout, beyond);
  const place = first + Math.round((from.x - (cells[first]?.x ?? 0)) / step_px);
  return cells[Math.min(end - 1, place)] ?? from;
}

/** The first cell that stands at a height or below it. */
function firstFrom(cells: readonly GridCell[], y: number): number {
  let [low, high] = [0, cells.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cells[middle] as GridCell).y < y) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lineOf({ cells }: GridLayout, { y }: GridCell): [from: number, to: number] {
  return [firstFrom(cells, y), firstFrom(cells, y + 1)];
}
