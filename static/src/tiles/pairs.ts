/** Single weights taken apart, as the page asks for them. */
import { type PairPlace, type PairReading, readPair } from "../wire/http";
import { Single } from "./single";

export type { PairPlace, PairReading } from "../wire/http";

const CACHE_BYTES = 2 ** 21;
const NUMBER_BYTES = 8;

export class Pairs extends Single<PairPlace, PairReading> {
  constructor(read: typeof readPair = readPair) {
    super({
      read,
      name: ({ run, site, head, row, col }) => [run, site, head, row, col].join("/"),
      bytes: ({ products }) => 3 * products.length * NUMBER_BYTES,
      cacheBytes: CACHE_BYTES,
    });
  }
}
