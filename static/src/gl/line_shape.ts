/** How a line is told, where it ends and how it bends. The shader in lines_webgl.ts says the same in GLSL. */
import type { LineColumns } from "./lines";

export const FLOATS_PER_LINE = 4;
/** As many colours as a picture may have. */
export const MOST_LANES = 8;
/** Lines leave their column level, and this much of the way they are curved. */
export const BEND = 0.7;
/** What is left of a line's opacity where it ends at the window's edge, its partner being out of sight. */
export const EDGE_OPACITY = 0.25;

export interface LineEnd {
  y: number;
  /** 1, or less where the place lies outside the window. */
  opacity: number;
}

export function lineEnd(
  { top, bottom, left_y, right_y, pitch, lane_px }: LineColumns,
  side: "left" | "right",
  place: number,
  lane: number,
  lanes: number,
): LineEnd {
  const middle = (side === "left" ? left_y : right_y) + place * pitch;
  const y = Math.min(bottom, Math.max(top, middle + (lane - (lanes - 1) / 2) * lane_px));
  return { y, opacity: middle < top || middle > bottom ? EDGE_OPACITY : 1 };
}
