/** Fetches single weights taken apart: one at a time, each once; what is no longer wanted is dropped. */
import { ByteCache } from "../gl/byte_cache";
import { ApiError, type PairPlace, type PairReading, readPair } from "../wire/http";

export type { PairPlace, PairReading } from "../wire/http";

/** No worker, or no server: that passes by itself. */
const AWAY = [0, 503];
const AGAIN_AFTER_MS = 2_000;
const CACHE_BYTES = 2 ** 21;
const NUMBER_BYTES = 8;

export class Pairs {
  readonly #cache = new ByteCache<PairReading>(CACHE_BYTES);
  readonly #listeners: (() => void)[] = [];
  #wanted: PairPlace | null = null;
  #failure: ApiError | null = null;
  #fetching: AbortController | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly read: typeof readPair = readPair) {}

  /** The wanted pair, once it is here. */
  get reading(): PairReading | undefined {
    return this.#wanted ? this.#cache.get(keyOf(this.#wanted)) : undefined;
  }

  /** Why it did not come, if it did not. */
  get failure(): ApiError | null {
    return this.#failure;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  want(place: PairPlace | null): void {
    if (place && this.#wanted && keyOf(place) === keyOf(this.#wanted)) return;
    this.#wanted = place;
    this.#start();
  }

  /** Asks again for what did not come. */
  retry(): void {
    if (this.#failure) this.#start();
  }

  #start(): void {
    clearTimeout(this.#again);
    this.#fetching?.abort();
    this.#failure = null;
    const place = this.#wanted;
    if (place && !this.#cache.has(keyOf(place))) void this.#fetch(place);
    this.#tell();
  }

  async #fetch(place: PairPlace): Promise<void> {
    const controller = new AbortController();
    this.#fetching = controller;
    try {
      const reading = await this.read(place, controller.signal);
      this.#cache.set(keyOf(place), reading, 3 * reading.products.length * NUMBER_BYTES);
    } catch (error) {
      if (controller.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.#failure = error;
      if (AWAY.includes(error.status)) this.#again = setTimeout(() => this.retry(), AGAIN_AFTER_MS);
    }
    if (!controller.signal.aborted) this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function keyOf({ run, site, head, row, col }: PairPlace): string {
  return [run, site, head, row, col].join("/");
}
