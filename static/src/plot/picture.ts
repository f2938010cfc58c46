/** What the map's canvas shows now: the overview beneath, sharper tiles above it as they arrive. */
import type { Quad } from "../gl/surface";
import { cellFor, coveringTiles, type MapSize } from "../tiles/cover";
import type { HeadMap, Rectangles, Weights } from "../tiles/rectangles";
import type { Floors } from "../tiles/floors";
import { wholeMap } from "../tiles/links";
import { overviewSheet, weightsSheet } from "../tiles/sheets";
import type { Site } from "../state/run";
import { areaInSight, type Plot } from "./geometry";

export interface MapPicture {
  quads: Quad[];
  /** The weight that takes the last colour. */
  top: number;
  /** How many weights a side one value stands for, at the coarsest in sight; 1 is exact. */
  cell: number;
  /** Exact float32 values, not the eight bits of the overview. */
  sharp: boolean;
  /** For how many rows floors are on their way. */
  floorsAwaited: number;
}

export function pictureOf(
  site: Site,
  map: HeadMap,
  plot: Plot,
  ratio: number,
  top: number | ((here: readonly (Weights | undefined)[]) => number),
  mass: number,
  rectangles: Rectangles,
  floors: Floors,
): MapPicture {
  const size: MapSize = { rows: site.queries, cols: site.keys };
  const reach = site.causal ? site.keys - site.queries : null;
  const area = areaInSight(plot, size);
  const cell = cellFor(plot.cell_px * ratio);
  const tiles = coveringTiles(size, area, cell);
  const arrived = tiles.map((tile) => rectangles.get(map, tile));
  rectangles.want("map", map, tiles);
  // A tile that is the whole map brings its floors with it.
  const isWhole = cell === 1 && wholeMap(site) !== null;
  const floorsAwaited = floors.wantRows("map", mass, isWhole ? [] : [{ site, map, rows: area.rows }]);

  const most = typeof top === "number" ? top : top(arrived);
  const common = { layer: 0, gain: 1, top: most, reach } as const;
  const sharp = arrived.every((weights) => weights !== undefined);
  // The overview is of the weights themselves.
  const quads: Quad[] = sharp || map.reading ? [] : [overviewQuad()];
  for (const weights of arrived) {
    if (!weights) continue;
    const { rows, cols } = weights;
    quads.push({
      ...common,
      sheet: weightsSheet(map, weights),
      ...clippedQuad(plot, size, ratio, weights),
      origin: [cols[0] / weights.cell, rows[0] / weights.cell],
      cell: weights.cell,
      floors: mass < 1 ? floors.of(site, map, rows, mass, weights.cell) : null,
    });
  }
  return { quads, top: most, cell: sharp ? cell : Math.max(cell, site.cell), sharp, floorsAwaited };

  function overviewQuad(): Quad {
    const [, height = 0, width = 0] = site.arrays.overview.shape;
    return {
      ...common,
      sheet: overviewSheet(map.run, site),
      layer: map.head,
      gain: site.arrays.scale.values[map.head] ?? 0,
      ...clippedQuad(plot, size, ratio, { rows: [0], cols: [0], height, width, cell: site.cell }),
      origin: [0, 0],
      cell: site.cell,
    };
  }
}

interface Placed {
  /** Where it begins. */
  rows: readonly [number, ...unknown[]];
  cols: readonly [number, ...unknown[]];
  height: number;
  width: number;
  cell: number;
}

/** The part of a sheet that lies inside the plot, and its place in device pixels. */
export function clippedQuad(
  plot: Plot,
  size: MapSize,
  ratio: number,
  { rows: [row], cols: [col], height, width, cell }: Placed,
): Pick<Quad, "place" | "part"> {
  const bottomRow = plot.row + plot.height / plot.cell_px;
  const rightCol = plot.col + plot.width / plot.cell_px;
  const [top, left] = [Math.max(row, plot.row), Math.max(col, plot.col)];
  const bottom = Math.min(row + height * cell, bottomRow, size.rows);
  const right = Math.min(col + width * cell, rightCol, size.cols);
  const px = plot.cell_px * ratio;
  return {
    place: [
      plot.x * ratio + (left - plot.col) * px,
      plot.y * ratio + (top - plot.row) * px,
      (right - left) * px,
      (bottom - top) * px,
    ],
    part: [(left - col) / cell, (top - row) / cell, (right - col) / cell, (bottom - row) / cell],
  };
}
