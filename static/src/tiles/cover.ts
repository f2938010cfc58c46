/**
 * Which tiles cover what is in sight, as in a street map.
 *
 * A tile is 256 × 256 values. At cell 1 a value is one exact weight; at cell 2, 4, 8 … it is the maximum over
 * cell × cell weights. The cell is the coarsest whose values are still no wider than a pixel of the screen.
 */
export const TILE_VALUES = 256;

export interface MapSize {
  rows: number;
  cols: number;
}

/** Half-open ranges of rows and columns, in weights. */
export interface MapArea {
  rows: [number, number];
  cols: [number, number];
}

export interface TileRef extends MapArea {
  cell: number;
}

/** The largest power of two that keeps one value at most one pixel wide. */
export function cellFor(pixelsPerWeight: number): number {
  let cell = 1;
  while (cell * 2 * pixelsPerWeight <= 1) cell *= 2;
  return cell;
}

/** The tiles that touch an area, nearest to its middle first. */
export function coveringTiles(size: MapSize, area: MapArea, cell: number): TileRef[] {
  const span = TILE_VALUES * cell;
  const tiles: TileRef[] = [];
  for (let row = floorTo(Math.max(0, area.rows[0]), span); row < Math.min(size.rows, area.rows[1]); row += span) {
    for (let col = floorTo(Math.max(0, area.cols[0]), span); col < Math.min(size.cols, area.cols[1]); col += span) {
      tiles.push({
        cell,
        rows: [row, Math.min(row + span, size.rows)],
        cols: [col, Math.min(col + span, size.cols)],
      });
    }
  }
  const middle = [(area.rows[0] + area.rows[1]) / 2, (area.cols[0] + area.cols[1]) / 2] as const;
  return tiles.sort((a, b) => distance(a, middle) - distance(b, middle));
}

export function tileKey({ cell, rows, cols }: TileRef): string {
  return `${cell}:${rows[0]}:${cols[0]}`;
}

function floorTo(value: number, step: number): number {
  return Math.floor(value / step) * step;
}

function distance({ rows, cols }: TileRef, [row, col]: readonly [number, number]): number {
  return Math.hypot((rows[0] + rows[1]) / 2 - row, (cols[0] + cols[1]) / 2 - col);
}
