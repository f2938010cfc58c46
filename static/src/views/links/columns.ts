/**
 * Where the two columns of tokens stand, and which part of each is in sight.
 *
 *   left names │        lines        │ right names
 *              left_x                right_x
 */
export type Side = "rows" | "cols";

export interface Columns {
  left_x: number;
  right_x: number;
  top: number;
  height: number;
  pitch: number;
  rows: Column;
  cols: Column;
}

export interface Column {
  length: number;
  /** How far it is scrolled, in CSS pixels. */
  scroll: number;
}

export interface Room {
  width: number;
  height: number;
}

const LEAST_PITCH_PX = 15;
const MOST_PITCH_PX = 30;
const WIDEST_LINES_PX = 560;
/** Below the headings, and above the line that counts what is out of sight. */
export const TOP_PX = 38;
const BOTTOM_PX = 28;
const CHARACTER_PX = 7.3;
const PAD_PX = 10;
/** A partner's weight stands beside its name. */
export const WEIGHT_PX = 40;

export function placeColumns(
  names: { rows: readonly string[]; cols: readonly string[] },
  scroll: Record<Side, number>,
  { width, height }: Room,
): Columns {
  const room = Math.max(1, height - TOP_PX - BOTTOM_PX);
  const longest = Math.max(1, names.rows.length, names.cols.length);
  const pitch = Math.min(MOST_PITCH_PX, Math.max(LEAST_PITCH_PX, room / longest));
  const [left, right] = [gutter(names.rows, width), gutter(names.cols, width)];
  const lines = Math.max(24, Math.min(WIDEST_LINES_PX, width - left - right));
  const start = (width - left - lines - right) / 2 + left;
  const column = (side: Side): Column => {
    const { length } = names[side];
    return { length, scroll: clampScroll(scroll[side], length, pitch, room) };
  };
  return {
    left_x: start,
    right_x: start + lines,
    top: TOP_PX,
    height: room,
    pitch,
    rows: column("rows"),
    cols: column("cols"),
  };
}

/** The middle of a token's line, whether it is in sight or not. */
export function middleOf({ top, pitch, ...columns }: Columns, side: Side, index: number): number {
  return top + (index + 0.5) * pitch - columns[side].scroll;
}

/** The tokens of which at least the middle is in sight, half-open. */
export function inSight({ pitch, height, ...columns }: Columns, side: Side): [number, number] {
  const { length, scroll } = columns[side];
  const first = Math.max(0, Math.ceil(scroll / pitch - 0.5));
  return [Math.min(first, length), Math.min(length, Math.floor((scroll + height) / pitch - 0.5) + 1)];
}

export function canScroll({ pitch, height, ...columns }: Columns): boolean {
  return Math.max(columns.rows.length, columns.cols.length) * pitch > height + 1;
}

/** The token whose name is under a point; between the names there is none. */
export function tokenUnder(columns: Columns, x: number, y: number): { side: Side; index: number } | null {
  const side = sideUnder(columns, x);
  if (!side || y < columns.top || y > columns.top + columns.height) return null;
  const index = Math.floor((y - columns.top + columns[side].scroll) / columns.pitch);
  return index < columns[side].length ? { side, index } : null;
}

export function sideUnder({ left_x, right_x }: Columns, x: number): Side | null {
  return x <= left_x + PAD_PX ? "rows" : x >= right_x - PAD_PX ? "cols" : null;
}

/** The scroll that brings a token into sight, with the next one beside it. */
export function scrollTo({ pitch, height, ...columns }: Columns, side: Side, index: number): number {
  const { length, scroll } = columns[side];
  const [least, most] = [(index + 2) * pitch - height, (index - 1) * pitch];
  return clampScroll(least > most ? most : Math.min(most, Math.max(least, scroll)), length, pitch, height);
}

function clampScroll(scroll: number, length: number, pitch: number, height: number): number {
  return Math.min(Math.max(0, scroll), Math.max(0, length * pitch - height));
}

function gutter(names: readonly string[], width: number): number {
  const longest = names.reduce((length, name) => Math.max(length, name.length), 4);
  return Math.round(Math.min(longest * CHARACTER_PX + PAD_PX * 2 + WEIGHT_PX, width * 0.36));
}
