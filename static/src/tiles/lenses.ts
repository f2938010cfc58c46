/** Windows of the lens, as the page asks for them. */
import { type LensPlace, type LensReading, readLens } from "../wire/lens";
import { Single } from "./single";

export type { LensPlace, LensReading } from "../wire/lens";

const CACHE_BYTES = 2 ** 23;
/** An id and a probability. */
const GUESS_BYTES = 16;

export class Lenses extends Single<LensPlace & { trained?: string }, LensReading> {
  constructor(read: typeof readLens = readLens) {
    super({
      read,
      name: ({ run, positions, tuned, trained = "" }) => [run, ...positions, tuned ? `tuned ${trained}` : ""].join("/"),
      bytes: ({ layers }) => layers.length * (layers[0]?.ids.flat().length ?? 0) * GUESS_BYTES,
      cacheBytes: CACHE_BYTES,
    });
  }
}
