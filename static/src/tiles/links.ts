/**
 * The links of one token in one head: how much it looks at each token, and how much each looks at it.
 *
 * Exact values come from the rectangle that holds the whole map, or from the token's own row and column; until
 * they are here the overview answers, and says so.
 */
import type { Area, HeadMap, Rectangles, Weights } from "./rectangles";
import { TILE_VALUES } from "./cover";
import type { Site } from "../wire/messages";

export interface Line {
  values: Float32Array;
  exact: boolean;
}

/** Areas that are asked for as a whole where the map is small enough to be one tile. */
export function wholeMap(site: Site): Area | null {
  if (site.queries > TILE_VALUES || site.keys > TILE_VALUES) return null;
  return { rows: [0, site.queries], cols: [0, site.keys], cell: 1 };
}

export function rowArea(site: Site, row: number): Area {
  return wholeMap(site) ?? { rows: [row, row + 1], cols: [0, site.keys], cell: 1 };
}

export function columnArea(site: Site, column: number): Area {
  return wholeMap(site) ?? { rows: [0, site.queries], cols: [column, column + 1], cell: 1 };
}

export function rowOf(site: Site, map: HeadMap, row: number, rectangles: Rectangles): Line {
  const own: Area = { rows: [row, row + 1], cols: [0, site.keys], cell: 1 };
  const weights = rectangles.get(map, rowArea(site, row)) ?? rectangles.get(map, own);
  if (weights) {
    const start = (row - weights.rows[0]) * weights.width;
    return { values: weights.values.subarray(start, start + weights.width), exact: true };
  }
  return { values: pooledLine(site, map, site.keys, (column) => [row, column]), exact: false };
}

export function columnOf(site: Site, map: HeadMap, column: number, rectangles: Rectangles): Line {
  const weights = rectangles.get(map, columnArea(site, column));
  if (weights) return { values: exactColumn(weights, column - weights.cols[0]), exact: true };
  return { values: pooledLine(site, map, site.queries, (row) => [row, column]), exact: false };
}

/** One value of the overview: exact up to eight bits with cell 1, else the largest weight around it. */
export function overviewAt(site: Site, head: number, row: number, column: number): number {
  const [, rows = 0, cols = 0] = site.arrays.overview.shape;
  const index = (head * rows + Math.floor(row / site.cell)) * cols + Math.floor(column / site.cell);
  const root = (site.arrays.overview.values[index] ?? 0) / 255;
  return (site.arrays.scale.values[head] ?? 0) * root * root;
}

function exactColumn({ values, height, width }: Weights, column: number): Float32Array {
  return Float32Array.from({ length: height }, (_, row) => values[row * width + column] ?? 0);
}

/** Of another reading than the weights themselves there is no overview: 0 until it is here. */
function pooledLine(site: Site, map: HeadMap, length: number, at: (index: number) => [number, number]): Float32Array {
  return Float32Array.from({ length }, (_, index) => (map.reading ? 0 : overviewAt(site, map.head, ...at(index))));
}
