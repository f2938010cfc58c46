/**
 * Fetches rectangles of maps: a few at a time, each once, wanted ones first, unwanted ones dropped.
 *
 * `want` replaces what the same asker wanted before, so that a fast pan or a walk over heads leaves no queue behind.
 */
import { ByteCache } from "../gl/byte_cache";
import { ApiError, type Rectangle, readRectangle } from "../wire/http";

export interface HeadMap {
  run: string;
  site: string;
  head: number;
}

export type Area = Pick<Rectangle, "rows" | "cols" | "cell">;

export interface Weights extends Area {
  /** Row by row; ceil(rows / cell) × ceil(cols / cell) of them. */
  values: Float32Array;
  height: number;
  width: number;
  /** Where the weakest were left out: the share of each row that is kept. */
  mass?: number;
}

interface Wanted {
  key: string;
  map: HeadMap;
  area: Area;
}

export type ReadRectangle = typeof readRectangle;
/** Past the cache, for whoever saves what it reads. */
export const readWeights: ReadRectangle = readRectangle;
/** What is known of the shown run without asking: row by row, null where it is not. */
export type KnownWeights = (map: HeadMap, area: Area) => Float32Array | null;

const AT_ONCE = 4;
/** No worker, or no server: that passes by itself. */
const AWAY = [0, 503];
const AGAIN_AFTER_MS = 2_000;
const CACHE_BYTES = 32 * 2 ** 20;

export class Rectangles {
  readonly #cache: ByteCache<Weights>;
  readonly #known = new ByteCache<Weights>(CACHE_BYTES);
  readonly #fetching = new Map<string, AbortController>();
  readonly #wanted = new Map<string, Wanted[]>();
  readonly #failed = new Map<string, ApiError>();

  #run: string | null = null;
  #isUnderWay = false;
  readonly #listeners: (() => void)[] = [];

  constructor(
    private readonly read: ReadRectangle = readRectangle,
    cacheBytes = CACHE_BYTES,
    private readonly knows: KnownWeights = () => null,
  ) {
    this.#cache = new ByteCache(cacheBytes);
  }

  get(map: HeadMap, area: Area): Weights | undefined {
    const key = keyOf(map, area);
    return this.#cache.get(key) ?? this.#known.get(key) ?? this.#know(key, map, area);
  }

  onArrival(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Why a rectangle of this head did not come, if one did not. */
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
      wanted.map(({ map, area }) => ({ key: keyOf(map, area), map, area })),
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
      if (this.#fetching.size >= AT_ONCE) return;
      // What was wanted of another run is not wanted any more, though its view has not drawn since.
      if (this.#run !== null && (map.run !== this.#run || this.#isUnderWay)) continue;
      if (this.#cache.has(key) || this.#known.has(key) || this.#fetching.has(key) || this.#failed.has(key)) continue;
      void this.#fetch(key, map, area);
    }
  }

  #know(key: string, map: HeadMap, area: Area): Weights | undefined {
    const values = area.cell === 1 ? this.knows(map, area) : null;
    if (!values) return undefined;
    const weights = { ...area, values, height: area.rows[1] - area.rows[0], width: area.cols[1] - area.cols[0] };
    this.#known.set(key, weights, values.byteLength);
    return weights;
  }

  async #fetch(key: string, map: HeadMap, area: Area): Promise<void> {
    const controller = new AbortController();
    this.#fetching.set(key, controller);
    try {
      const { values, shape } = await this.read(
        map.run,
        { site: map.site, head: map.head, ...area },
        controller.signal,
      );
      const [height = 0, width = 0] = shape.slice(-2);
      this.#cache.set(key, { ...area, values, height, width }, values.byteLength);
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
}

function mapKey({ run, site, head }: HeadMap): string {
  return `${run}/${site}/${head}/`;
}

function keyOf(map: HeadMap, { rows, cols, cell }: Area): string {
  return `${mapKey(map)}${cell}/${rows.join(":")}/${cols.join(":")}`;
}
