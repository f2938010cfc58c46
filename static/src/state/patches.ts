/** The patches of a picture as tokens: row by row, behind first ones that stand for no patch. */
import { say } from "../language/say";
import type { Picture } from "../wire/messages";

type Grid = Pick<Picture, "rows" | "cols" | "first">;

export interface Patch {
  row: number;
  col: number;
}

/** Where a token lies on the picture; null for those that stand for no patch. */
export function patchOf({ rows, cols, first }: Grid, token: number): Patch | null {
  const place = token - first;
  return place < 0 || place >= rows * cols ? null : { row: Math.floor(place / cols), col: place % cols };
}

export function tokenOf({ cols, first }: Grid, { row, col }: Patch): number {
  return first + row * cols + col;
}

/** The token whose view is shown while none is pointed at: the class token, which sums the picture up. */
export function tokenOfRest({ first }: Grid): number {
  return first > 0 ? 0 : -1;
}

/** A step on the picture by an arrow key; null where the key is none. */
export function stepFrom(grid: Grid, token: number, key: string): number | null {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
  if (!step) return null;
  const from = patchOf(grid, token);
  if (!from) return tokenOf(grid, { row: Math.floor(grid.rows / 2), col: Math.floor(grid.cols / 2) });
  const within = (place: number, most: number) => Math.min(most - 1, Math.max(0, place));
  return tokenOf(grid, {
    row: within(from.row + (step[0] ?? 0), grid.rows),
    col: within(from.col + (step[1] ?? 0), grid.cols),
  });
}

/** How a token of a picture is called in a sentence. */
export function patchName(grid: Grid, token: number, text: string): string {
  const patch = patchOf(grid, token);
  if (patch) return say("patch {row}, {col}", { row: patch.row + 1, col: patch.col + 1 });
  return say("{name} token", { name: text });
}
