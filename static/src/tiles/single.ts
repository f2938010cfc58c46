/** Fetches readings that are looked at one by one: each once, the last wanted alone; the others are dropped. */
import { ByteCache } from "../gl/byte_cache";
import { ApiError } from "../wire/http";

export interface SingleReader<Place, Reading> {
  read(place: Place, signal?: AbortSignal): Promise<Reading>;
  /** Tells places apart. */
  name(place: Place): string;
  bytes(reading: Reading): number;
  cacheBytes: number;
}

/** No worker, or no server: that passes by itself. */
const AWAY = [0, 503];
const AGAIN_AFTER_MS = 2_000;

export class Single<Place, Reading> {
  readonly #cache: ByteCache<Reading>;
  readonly #listeners: (() => void)[] = [];
  #wanted: Place | null = null;
  #failure: ApiError | null = null;
  #fetching: AbortController | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly reader: SingleReader<Place, Reading>) {
    this.#cache = new ByteCache(reader.cacheBytes);
  }

  /** The wanted reading, once it is here. */
  get reading(): Reading | undefined {
    return this.#wanted ? this.#cache.get(this.reader.name(this.#wanted)) : undefined;
  }

  /** Why it did not come, if it did not. */
  get failure(): ApiError | null {
    return this.#failure;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  want(place: Place | null): void {
    if (place && this.#wanted && this.reader.name(place) === this.reader.name(this.#wanted)) return;
    if (!place && !this.#wanted) return;
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
    if (place && !this.#cache.has(this.reader.name(place))) void this.#fetch(place);
    this.#tell();
  }

  async #fetch(place: Place): Promise<void> {
    const controller = new AbortController();
    this.#fetching = controller;
    try {
      const reading = await this.reader.read(place, controller.signal);
      this.#cache.set(this.reader.name(place), reading, this.reader.bytes(reading));
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
