/** Rectangles of maps, exact or pooled, as the page wants them. */
import { type Rectangle, readRectangle } from "../wire/http";
import { type HeadMap, Readings } from "./readings";

export type { HeadMap } from "./readings";

export type Area = Pick<Rectangle, "rows" | "cols" | "cell">;

export interface Weights extends Area {
  /** Row by row; ceil(rows / cell) × ceil(cols / cell) of them. */
  values: Float32Array;
  height: number;
  width: number;
}

export type ReadRectangle = typeof readRectangle;
/** Past the cache, for whoever saves what it reads. */
export const readWeights: ReadRectangle = readRectangle;
/** What is known of the shown run without asking: row by row, null where it is not. */
export type KnownWeights = (map: HeadMap, area: Area) => Float32Array | null;

const AT_ONCE = 4;
const CACHE_BYTES = 32 * 2 ** 20;

export class Rectangles extends Readings<Area, Weights> {
  constructor(read: ReadRectangle = readRectangle, cacheBytes = CACHE_BYTES, knows: KnownWeights = () => null) {
    super({
      async read({ run, site, head }, area, signal) {
        const { values, shape } = await read(run, { site, head, ...area }, signal);
        const [height = 0, width = 0] = shape.slice(-2);
        return { ...area, values, height, width };
      },
      know(map, area) {
        const values = area.cell === 1 ? knows(map, area) : null;
        return values && { ...area, values, height: area.rows[1] - area.rows[0], width: area.cols[1] - area.cols[0] };
      },
      name: ({ rows, cols, cell }) => `${cell}/${rows.join(":")}/${cols.join(":")}`,
      bytes: ({ values }) => values.byteLength,
      atOnce: AT_ONCE,
      cacheBytes,
    });
  }
}
