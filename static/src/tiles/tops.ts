/**
 * The weight that takes the last colour, for each head of a site.
 *
 * Many heads rest on the first token or on special ones; a scale that reaches up to those weights leaves the rest
 * in the dark. So they are left out of the scale by default. They are drawn all the same, and nothing is rescaled.
 */
import type { Site, Tokens } from "../wire/messages";
import type { Weights } from "./rectangles";

const known = new WeakMap<Site, Map<string, Float32Array>>();

export function topsOf(site: Site, keys: Tokens | undefined, sinkCounts: boolean): Float32Array {
  if (sinkCounts) return site.arrays.scale.values;
  const cache = known.get(site) ?? new Map<string, Float32Array>();
  known.set(site, cache);
  const name = keys ? "tokens" : "positions";
  const tops = cache.get(name) ?? topsWithoutSinks(site, keys);
  cache.set(name, tops);
  return tops;
}

function topsWithoutSinks(site: Site, keys: Tokens | undefined): Float32Array {
  const { overview, scale } = site.arrays;
  const [heads = 0, rows = 0, cols = 0] = overview.shape;
  const counted: number[] = [];
  for (let col = 0; col < cols; col++) if (!isSink(site, keys, col)) counted.push(col);
  return Float32Array.from({ length: heads }, (_, head) => {
    let most = 0;
    for (let row = 0; row < rows; row++) {
      const start = (head * rows + row) * cols;
      for (const col of counted) most = Math.max(most, overview.values[start + col] ?? 0);
    }
    return (scale.values[head] ?? 0) * (most > 0 ? (most / 255) ** 2 : 1);
  });
}

const largest = new WeakMap<Weights, Map<boolean, number>>();

/** The same for another reading, of what is here: where the largest lies is known only when it has come. */
export function topOfReading(
  site: Site,
  keys: Tokens | undefined,
  sinkCounts: boolean,
  here: readonly (Weights | undefined)[],
): number {
  const tops = here.map((weights) => (weights ? largestIn(weights, site, keys, sinkCounts) : 0));
  return Math.max(...tops, 0) || 1;
}

function largestIn(weights: Weights, site: Site, keys: Tokens | undefined, sinkCounts: boolean): number {
  const known = largest.get(weights) ?? new Map<boolean, number>();
  largest.set(weights, known);
  const ready = known.get(sinkCounts);
  if (ready !== undefined) return ready;
  const isOut = Array.from({ length: weights.width }, (_, col) => {
    return !sinkCounts && isSink(site, keys, weights.cols[0] + col * weights.cell);
  });
  let [most, ofAll] = [0, 0];
  weights.values.forEach((value, index) => {
    const size = Math.abs(value);
    ofAll = Math.max(ofAll, size);
    if (!isOut[index % weights.width]) most = Math.max(most, size);
  });
  known.set(sinkCounts, most || ofAll);
  return most || ofAll;
}

/** Whether a token is left out of scales: the first of a text that looks at itself, and special ones. */
export function isSink(site: Site, keys: Tokens | undefined, col: number): boolean {
  if (site.kind === "self" && col === 0) return true;
  return site.cell === 1 && keys?.special[col] === true;
}
