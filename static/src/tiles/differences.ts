/** Rectangles of the difference of two runs' maps, in the first run's rows and columns, as the page wants them. */
import type { Compared } from "../wire/http";
import { readDifference } from "../wire/http";
import { type HeadMap, Readings } from "./readings";
import type { Area, Weights } from "./rectangles";

/** Past the cache, for whoever saves what it reads; NaN where there is no partner. */
export const readDifferences: typeof readDifference = readDifference;

const AT_ONCE = 2;
const CACHE_BYTES = 16 * 2 ** 20;
const BETWEEN = "~";

/** What stands in the place of a run's id, for two of them. */
export function comparedKey({ a, b, pairs }: Compared): string {
  return [a, b, pairs].join(BETWEEN);
}

export class Differences extends Readings<Area, Weights> {
  constructor(read: typeof readDifference = readDifference, cacheBytes = CACHE_BYTES) {
    super({
      async read({ run, site, head }, area, signal) {
        const [a = "", b = "", pairs = ""] = run.split(BETWEEN);
        const { values, shape } = await read({ a, b, pairs }, { site, head, ...area }, signal);
        const [height = 0, width = 0] = shape.slice(-2);
        // Rows and columns without a partner are marked by whoever draws; a card may not tell NaN from a number.
        return { ...area, values: values.map((value) => (Number.isNaN(value) ? 0 : value)), height, width };
      },
      name: ({ rows, cols, cell }) => `${cell}/${rows.join(":")}/${cols.join(":")}`,
      bytes: ({ values }) => values.byteLength,
      atOnce: AT_ONCE,
      cacheBytes,
    });
  }

  /** The difference of one weight; null while it is on its way. */
  at(map: HeadMap, area: Area | undefined, row: number, col: number): number | null {
    const weights = area && this.get(map, area);
    if (!weights) return null;
    return weights.values[(row - weights.rows[0]) * weights.width + col - weights.cols[0]] ?? null;
  }
}
