/**
 * What workers read off maps for the page: fetched a few at a time, each once, wanted ones first, unwanted ones
 * dropped, and kept up to a number of bytes.
 *
 * `want` replaces what the same asker wanted before, so that a fast pan or a walk over heads leaves no queue behind.
 */
import { ByteCache } from "../gl/byte_cache";
import { ApiError } from "../wire/http";

export interface HeadMap {
  run: string;
  site: string;
  head: number;
  /** The part of the address that asks for another reading than the weights themselves. */
  reading?: string;
  /** Of a reading that is of one row: which; the others are 0. */
  only?: number;
}

export interface Reader<Area, Reading> {
  read(map: HeadMap, area: Area, signal: AbortSignal): Promise<Reading>;
  /** What is known of the shown run without asking; it may change as long as the run is under way. */
  know?(map: HeadMap, area: Area): Reading | null;
  /** Tells the areas of one map apart. */
  name(area: Area): string;
  bytes(reading: Reading): number;
  atOnce: number;
  cacheBytes: number;
}

interface Wanted<Area> {
  key: string;
  map: HeadMap;
  area: Area;
}

/** No worker, or no server: that passes by itself. */
const AWAY = [0, 503];
const AGAIN_AFTER_MS = 2_000;

export class Readings<Area, Reading> {
  readonly #cache: ByteCache<Reading>;
  readonly #known: ByteCache<Reading>;
  readonly #fetching = new Map<string, AbortController>();
  readonly #wanted = new Map<string, Wanted<Area>[]>();
  readonly #failed = new Map<string, ApiError>();

  #run: string | null = null;
  #isUnderWay = false;
  readonly #listeners: (() => void)[] = [];

  constructor(private readonly reader: Reader<Area, Reading>) {
    this.#cache = new ByteCache(reader.cacheBytes);
    this.#known = new ByteCache(reader.cacheBytes);
  }

  get(map: HeadMap, area: Area): Reading | undefined {
    const key = this.#keyOf(map, area);
    return this.#cache.get(key) ?? this.#known.get(key) ?? this.#know(key, map, area);
  }

  onArrival(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Why something of this head did not come, if it did not. */
  failureOf(map: HeadMap): ApiError | undefined {
    const prefix = mapKey(map);
    for (const [key, error] of this.#failed) if (key.startsWith(prefix)) return error;
    return undefined;
  }

  want(asker: string, map: HeadMap, areas: Area[]): void {
    this.wantOfAll(
      asker,
      areas.map((area) => ({ map, area })),
    );
  }

  /** The same for an asker that draws several heads at once. */
  wantOfAll(asker: string, wanted: { map: HeadMap; area: Area }[]): void {
    this.#wanted.set(
      asker,
      wanted.map(({ map, area }) => ({ key: this.#keyOf(map, area), map, area })),
    );
    const keys = new Set([...this.#wanted.values()].flat().map(({ key }) => key));
    for (const [key, controller] of this.#fetching) {
      if (!keys.has(key)) controller.abort();
    }
    this.#next();
  }

  /**
   * Names the run that is shown, and whether it is still computed. What came of others is forgotten. What is wanted of
   * a run under way is asked for when it is over: a worker that is free would have to compute the run a second time,
   * and the one that is not would answer no sooner.
   */
  follow(run: string | null, isUnderWay: boolean): void {
    if (run !== this.#run) {
      this.#cache.clear();
      this.#known.clear();
      this.#failed.clear();
    }
    if (isUnderWay !== this.#isUnderWay) this.#known.clear();
    this.#run = run;
    this.#isUnderWay = isUnderWay;
    this.#next();
  }

  /** Asks again for what did not come and is still wanted. */
  retry(): void {
    this.#failed.clear();
    this.#next();
  }

  #next(): void {
    for (const { key, map, area } of [...this.#wanted.values()].flat()) {
      if (this.#fetching.size >= this.reader.atOnce) return;
      // What was wanted of another run is not wanted any more, though its view has not drawn since.
      if (this.#run !== null && (map.run !== this.#run || this.#isUnderWay)) continue;
      if (this.#cache.has(key) || this.#known.has(key) || this.#fetching.has(key) || this.#failed.has(key)) continue;
      void this.#fetch(key, map, area);
    }
  }

  #know(key: string, map: HeadMap, area: Area): Reading | undefined {
    const reading = this.reader.know?.(map, area);
    if (!reading) return undefined;
    this.#known.set(key, reading, this.reader.bytes(reading));
    return reading;
  }

  async #fetch(key: string, map: HeadMap, area: Area): Promise<void> {
    const controller = new AbortController();
    this.#fetching.set(key, controller);
    try {
      const reading = await this.reader.read(map, area, controller.signal);
      this.#cache.set(key, reading, this.reader.bytes(reading));
    } catch (error) {
      if (!controller.signal.aborted) {
        if (!(error instanceof ApiError)) throw error;
        this.#failed.set(key, error);
        if (AWAY.includes(error.status)) setTimeout(() => this.#askAgain(key), AGAIN_AFTER_MS);
      }
    } finally {
      this.#fetching.delete(key);
      this.#next();
    }
    if (!controller.signal.aborted) this.#arrived();
  }

  #askAgain(key: string): void {
    if (this.#failed.delete(key)) this.#next();
  }

  #arrived(): void {
    for (const listener of this.#listeners) listener();
  }

  #keyOf(map: HeadMap, area: Area): string {
    return `${mapKey(map)}${this.reader.name(area)}`;
  }
}

/** What keys of a map's parts begin with. */
export function mapKey({ run, site, head, reading = "", only }: HeadMap): string {
  return `${run}/${site}/${head}/${reading}${only === undefined ? "" : `&${only}`}/`;
}
