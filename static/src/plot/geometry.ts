/**
 * Where the map stands in its panel: a window of the plot, from a frame (what is in sight) and the room there is.
 *
 *        ┌ columns' tokens ┐
 *        ├ columns' totals ┤
 *   rows'│      plot       │ rows'
 *  tokens│                 │ totals
 */
import type { Frame } from "../state/view";
import type { MapArea, MapSize } from "../tiles/cover";

export interface Box {
  width: number;
  height: number;
}

export interface Gutters {
  left: number;
  top: number;
  right: number;
}

/** Lengths in CSS pixels; row and col are the weight at the plot's top left corner, fractions included. */
export interface Plot {
  x: number;
  y: number;
  width: number;
  height: number;
  cell_px: number;
  row: number;
  col: number;
}

/** With few tokens a map that filled the panel would be a poster, not an instrument. */
const LARGEST_FIT_PX = 72;
const LARGEST_PX = 112;
const MARGIN_PX = 12;

export function fitCell(size: MapSize, box: Box, gutters: Gutters): number {
  const room = roomFor(box, gutters);
  return Math.max(1e-3, Math.min(LARGEST_FIT_PX, room.width / size.cols, room.height / size.rows));
}

export function placePlot(frame: Frame | null, size: MapSize, box: Box, gutters: Gutters): Plot {
  const room = roomFor(box, gutters);
  const fit = fitCell(size, box, gutters);
  const cell_px = frame ? clamp(frame.cell_px, fit, LARGEST_PX) : fit;
  const width = Math.min(room.width, size.cols * cell_px);
  const height = Math.min(room.height, size.rows * cell_px);
  return {
    x: gutters.left + (room.width - width) / 2,
    y: gutters.top + Math.min((room.height - height) / 2, room.height * 0.08),
    width,
    height,
    cell_px,
    row: frame ? clamp(frame.row, 0, size.rows - height / cell_px) : 0,
    col: frame ? clamp(frame.col, 0, size.cols - width / cell_px) : 0,
  };
}

/** Zooms so that the weight under a point stays under it. */
export function zoomAt(
  plot: Plot,
  factor: number,
  x: number,
  y: number,
  size: MapSize,
  box: Box,
  gutters: Gutters,
): Frame | null {
  const row = plot.row + (clamp(y, plot.y, plot.y + plot.height) - plot.y) / plot.cell_px;
  const col = plot.col + (clamp(x, plot.x, plot.x + plot.width) - plot.x) / plot.cell_px;
  const fit = fitCell(size, box, gutters);
  const cell_px = clamp(plot.cell_px * factor, fit, LARGEST_PX);
  if (cell_px <= fit * 1.001) return null;
  const next = placePlot({ row: 0, col: 0, cell_px }, size, box, gutters);
  return within(next, size, row - (y - next.y) / cell_px, col - (x - next.x) / cell_px);
}

export function panBy(plot: Plot, dx: number, dy: number, size: MapSize): Frame {
  return within(plot, size, plot.row - dy / plot.cell_px, plot.col - dx / plot.cell_px);
}

/** The part of the map in sight. */
export function areaInSight(plot: Plot, size: MapSize): MapArea {
  return {
    rows: [Math.floor(plot.row), Math.min(size.rows, Math.ceil(plot.row + plot.height / plot.cell_px - 1e-6))],
    cols: [Math.floor(plot.col), Math.min(size.cols, Math.ceil(plot.col + plot.width / plot.cell_px - 1e-6))],
  };
}

/** The weight under a point, or null outside the plot. */
export function weightUnder(plot: Plot, x: number, y: number): { row: number; col: number } | null {
  if (x < plot.x || y < plot.y || x >= plot.x + plot.width || y >= plot.y + plot.height) return null;
  return {
    row: Math.floor(plot.row + (y - plot.y) / plot.cell_px),
    col: Math.floor(plot.col + (x - plot.x) / plot.cell_px),
  };
}

function within(plot: Plot, size: MapSize, row: number, col: number): Frame {
  return {
    row: clamp(row, 0, size.rows - plot.height / plot.cell_px),
    col: clamp(col, 0, size.cols - plot.width / plot.cell_px),
    cell_px: plot.cell_px,
  };
}

function roomFor(box: Box, gutters: Gutters): Box {
  return {
    width: Math.max(1, box.width - gutters.left - gutters.right - MARGIN_PX),
    height: Math.max(1, box.height - gutters.top - MARGIN_PX),
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high));
}
