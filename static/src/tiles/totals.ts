/**
 * The margins of a map: what each key receives of all rows, and how widely each row looks.
 *
 * A map that is one tile is summed up here. A longer one is summed up by the worker, some rows at a time and one
 * request after another, so that tiles come between them; it starts when the eye rests on a head.
 */
import { ByteCache } from "../gl/byte_cache";
import { ApiError, readTotals } from "../wire/http";
import type { Site } from "../wire/messages";
import { wholeMap } from "./links";
import type { HeadMap, Rectangles, Weights } from "./rectangles";

export interface Margins {
  /** null until every row is summed up: a part of the sums would look like the whole. */
  received: Float32Array | null;
  /** In nats, of the first `rows` rows. */
  entropy: Float32Array;
  rows: number;
}

interface Sum extends Margins {
  received: Float32Array;
  key: string;
  size: { queries: number; keys: number };
}

const QUIET_MS = 300;
/** Of one request: a second's work or two, after which tiles that wait have their turn. */
const WEIGHTS_AT_ONCE = 2 ** 24;
const AWAY = [0, 503];
const AGAIN_AFTER_MS = 2_000;
const CACHE_BYTES = 2 ** 24;

const summed = new WeakMap<Weights, Margins>();

export class Totals {
  readonly #cache = new ByteCache<Margins>(CACHE_BYTES);
  readonly #listeners: (() => void)[] = [];
  #sum: Sum | null = null;
  #fetching: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly read: typeof readTotals = readTotals) {}

  /** As far as they are known. */
  of(site: Site, map: HeadMap, rectangles: Rectangles): Margins | null {
    const area = wholeMap(site);
    if (area) {
      const weights = rectangles.get(map, area);
      return weights ? marginsOf(weights) : null;
    }
    const key = keyOf(map);
    const done = this.#cache.get(key);
    if (done) return done;
    return this.#sum?.key === key ? { ...this.#sum, received: null } : null;
  }

  /** Which map is to be summed up; one that is a tile needs no asking. */
  want(site: Site | null, map: HeadMap | null): void {
    const key = site && map && !wholeMap(site) ? keyOf(map) : null;
    if (key === (this.#sum?.key ?? null)) return;
    clearTimeout(this.#timer);
    this.#fetching?.abort();
    this.#sum = null;
    if (!key || !site || !map) return;
    const { queries, keys } = site;
    this.#sum = {
      key,
      size: { queries, keys },
      received: new Float32Array(keys),
      entropy: new Float32Array(queries),
      rows: 0,
    };
    if (!this.#cache.has(key)) this.#later(map, this.#sum, QUIET_MS);
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #later(map: HeadMap, sum: Sum, wait_ms: number): void {
    this.#timer = setTimeout(() => void this.#goOn(map, sum), wait_ms);
  }

  async #goOn(map: HeadMap, sum: Sum): Promise<void> {
    const controller = new AbortController();
    this.#fetching = controller;
    const { queries, keys } = sum.size;
    const some = Math.max(1, Math.floor(WEIGHTS_AT_ONCE / keys));
    while (sum.rows < queries) {
      const rows: [number, number] = [sum.rows, Math.min(queries, sum.rows + some)];
      try {
        const { received, entropy } = await this.read(map, rows, controller.signal);
        if (controller.signal.aborted) return;
        received.forEach((weight, key) => (sum.received[key] = (sum.received[key] ?? 0) + weight));
        sum.entropy.set(entropy, rows[0]);
      } catch (error) {
        if (controller.signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        if (AWAY.includes(error.status)) this.#later(map, sum, AGAIN_AFTER_MS);
        return;
      }
      sum.rows = rows[1];
      if (sum.rows === queries) this.#cache.set(sum.key, { ...sum }, sum.received.byteLength + sum.entropy.byteLength);
      for (const listener of this.#listeners) listener();
    }
  }
}

/** Cost: reads each weight, once a tile. */
export function marginsOf(weights: Weights): Margins {
  const ready = summed.get(weights);
  if (ready) return ready;
  const received = new Float32Array(weights.width);
  const entropy = new Float32Array(weights.height);
  weights.values.forEach((weight, index) => {
    const col = index % weights.width;
    const row = (index - col) / weights.width;
    received[col] = (received[col] ?? 0) + weight;
    if (weight > 0) entropy[row] = (entropy[row] ?? 0) - weight * Math.log(weight);
  });
  const margins = { received, entropy, rows: weights.height };
  summed.set(weights, margins);
  return margins;
}

function keyOf({ run, site, head }: HeadMap): string {
  return `${run}/${site}/${head}`;
}
