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
      async read(map, area, signal) {
        if (map.only !== undefined) return readRow(read, map, map.only, area, signal);
        const { run, site, head, reading } = map;
        const { values, shape } = await read(run, { site, head, ...area, ...(reading ? { reading } : {}) }, signal);
        const [height = 0, width = 0] = shape.slice(-2);
        return { ...area, values, height, width };
      },
      know(map, area) {
        if (map.reading) return null;
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

/** A rectangle in which one row alone is known. */
async function readRow(
  read: ReadRectangle,
  { run, site, head, reading }: HeadMap,
  row: number,
  area: Area,
  signal: AbortSignal,
): Promise<Weights> {
  const { rows, cols, cell } = area;
  const [height, width] = [Math.ceil((rows[1] - rows[0]) / cell), Math.ceil((cols[1] - cols[0]) / cell)];
  const values = new Float32Array(height * width);
  const place = Math.floor((row - rows[0]) / cell);
  if (place >= 0 && place < height) {
    const asked = { site, head, rows: [row, row + 1] as [number, number], cols, cell: 1, ...(reading ? { reading } : {}) };
    const found = await read(run, asked, signal);
    found.values.forEach((value, col) => {
      const at = place * width + Math.floor(col / cell);
      values[at] = Math.max(values[at] ?? 0, value);
    });
  }
  return { ...area, values, height, width };
}
