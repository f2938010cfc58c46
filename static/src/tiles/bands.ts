/**
 * Bands of rows: what lines between tokens are drawn from, for the rows in sight only.
 *
 * A band is some whole rows of a map. Where rows are too long to be read by the dozen, it holds the keys around the
 * window and around the rows themselves, in spans; what lies beyond is read with a row of its own, when one is asked for.
 */
import type { Area } from "./rectangles";
import { wholeMap } from "./links";
import type { Site } from "../wire/messages";

const BAND_ROWS = 64;
/** Up to this length rows are read whole: a band is then at most a megabyte. */
export const LONGEST_WHOLE_ROW = 4096;
const SPAN_KEYS = 1024;

type Range = readonly [number, number];

export function bandAreas(site: Site, rows: Range, keys: Range): Area[] {
  const whole = wholeMap(site);
  if (whole) return [whole];
  const areas: Area[] = [];
  for (let row = floorTo(rows[0], BAND_ROWS); row < rows[1]; row += BAND_ROWS) {
    const band: [number, number] = [row, Math.min(row + BAND_ROWS, site.queries)];
    for (const cols of spansOf(site, band, keys)) areas.push({ rows: band, cols, cell: 1 });
  }
  return areas;
}

/** Whether an area holds each of its rows from end to end. */
export function holdsWholeRows(site: Site, { cols }: Area): boolean {
  return cols[0] === 0 && cols[1] >= site.keys;
}

function spansOf(site: Site, band: Range, keys: Range): [number, number][] {
  if (site.keys <= LONGEST_WHOLE_ROW) return [[0, site.keys]];
  const firsts = new Set<number>();
  const add = (range: Range) => {
    const last = Math.min(range[1], site.keys);
    for (let key = floorTo(range[0], SPAN_KEYS); key < last; key += SPAN_KEYS) firsts.add(key);
  };
  add(keys);
  if (site.kind === "self") add(band);
  // The first keys are where heads rest.
  firsts.add(0);
  return [...firsts].sort((a, b) => a - b).map((key) => [key, Math.min(key + SPAN_KEYS, site.keys)]);
}

function floorTo(value: number, step: number): number {
  return Math.floor(Math.max(0, value) / step) * step;
}
