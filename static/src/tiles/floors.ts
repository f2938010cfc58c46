/**
 * The floors of a map's rows, at any length: what a weight must reach to be among the strongest of its row.
 *
 * A map that is one tile is sorted here. Of a longer one no rectangle holds whole rows, so a worker sorts them, a
 * block of rows at a time, and only those that are wanted.
 */
import { ByteCache } from "../gl/byte_cache";
import type { RowFloors } from "../gl/surface";
import { readFloors } from "../wire/http";
import type { Site } from "../wire/messages";
import { wholeMap } from "./links";
import { floorsOf, leastFloors } from "./mass";
import { type HeadMap, mapKey, Readings } from "./readings";
import type { Rectangles } from "./rectangles";

type Span = readonly [number, number];

export interface RowsOfHead {
  site: Site;
  map: HeadMap;
  rows: Span;
}

interface Block {
  rows: Span;
  mass: number;
}

/** As many rows as a tile has, so that a tile needs one block or two of each cell's worth. */
const BLOCK_ROWS = 256;
/** Below any weight: what is not known leaves nothing out. */
const UNKNOWN = -1;
const CACHE_BYTES = 4 * 2 ** 20;
/** One after another, so that tiles come between them. */
const AT_ONCE = 1;

export class Floors extends Readings<Block, Float32Array> {
  readonly #gathered = new ByteCache<RowFloors>(CACHE_BYTES);

  constructor(
    private readonly rectangles: Rectangles,
    read: typeof readFloors = readFloors,
  ) {
    super({
      read: async (map, { rows, mass }, signal) => Float32Array.from((await read(map, rows, mass, signal)).floors),
      name: ({ rows, mass }) => `${mass}/${rows.join(":")}`,
      bytes: ({ byteLength }) => byteLength,
      atOnce: AT_ONCE,
      cacheBytes: CACHE_BYTES,
    });
  }

  /** Also forgets what was made of weights that came while the run was under way. */
  override follow(run: string | null, isUnderWay: boolean): void {
    this.#gathered.clear();
    super.follow(run, isUnderWay);
  }

  /** Has the floors of these rows worked out, in this order, and says for how many rows they are on their way. */
  wantRows(asker: string, mass: number, wanted: readonly RowsOfHead[]): number {
    const areas = new Map<string, { map: HeadMap; area: Block }>();
    for (const { site, map, rows } of mass < 1 ? wanted : []) {
      if (this.#here(site, map, mass)) continue;
      for (const area of blocksOf(site, rows, mass)) areas.set(`${mapKey(map)}${area.rows[0]}`, { map, area });
    }
    this.wantOfAll(asker, [...areas.values()]);
    return [...areas.values()]
      .filter(({ map, area }) => !this.get(map, area))
      .reduce((sum, { area: { rows } }) => sum + rows[1] - rows[0], 0);
  }

  /** For each cell of these rows the least floor of its rows; null while none of them is known. */
  of(site: Site, map: HeadMap, rows: Span, mass: number, cell = 1): RowFloors | null {
    const parts = this.#parts(site, map, rows, mass);
    const known = parts.map(({ floors }) => (floors ? "1" : "0")).join("");
    if (!known.includes("1")) return null;
    const key = `${mapKey(map)}${mass}/${cell}/${rows.join(":")}/${known}`;
    const ready = this.#gathered.get(key);
    if (ready) return ready;
    const floors = new Float32Array(rows[1] - rows[0]).fill(UNKNOWN);
    for (const part of parts) {
      const [first, last] = [Math.max(rows[0], part.rows[0]), Math.min(rows[1], part.rows[1])];
      if (part.floors) floors.set(part.floors.subarray(first - part.rows[0], last - part.rows[0]), first - rows[0]);
    }
    const gathered = { key, values: leastFloors(floors, cell) };
    this.#gathered.set(key, gathered, gathered.values.byteLength);
    return gathered;
  }

  /** Of one row; null while it is on its way. */
  at(site: Site, map: HeadMap, row: number, mass: number): number | null {
    const [part] = this.#parts(site, map, [row, row + 1], mass);
    return part?.floors?.[row - part.rows[0]] ?? null;
  }

  /** What covers these rows: the whole map where it is here, else blocks. */
  #parts(site: Site, map: HeadMap, rows: Span, mass: number): { rows: Span; floors: Float32Array | undefined }[] {
    const here = this.#here(site, map, mass);
    if (here) return [{ rows: [0, site.queries], floors: here }];
    return blocksOf(site, rows, mass).map((block) => ({ rows: block.rows, floors: this.get(map, block) }));
  }

  #here(site: Site, map: HeadMap, mass: number): Float32Array | null {
    const area = wholeMap(site);
    const weights = area && this.rectangles.get(map, area);
    return weights ? floorsOf(weights, mass).values : null;
  }
}

/** The floors of some rows, past the cache, for whoever saves what it reads. Asks for one block after another. */
export async function readAllFloors(map: HeadMap, rows: Span, mass: number): Promise<Float32Array> {
  const floors = new Float32Array(rows[1] - rows[0]);
  for (let row = rows[0]; row < rows[1]; row += BLOCK_ROWS) {
    const some: Span = [row, Math.min(row + BLOCK_ROWS, rows[1])];
    floors.set((await readFloors(map, some, mass)).floors, row - rows[0]);
  }
  return floors;
}

function blocksOf(site: Site, rows: Span, mass: number): Block[] {
  const blocks: Block[] = [];
  for (let row = Math.floor(rows[0] / BLOCK_ROWS) * BLOCK_ROWS; row < rows[1]; row += BLOCK_ROWS)
    blocks.push({ rows: [row, Math.min(row + BLOCK_ROWS, site.queries)], mass });
  return blocks;
}
