/** One weight as the map can tell it now: exact, or the largest of a pooled cell. */
import { exactShare, share } from "../../dom/numbers";
import type { Site } from "../../state/run";
import { rowOf, wholeMap, overviewAt } from "../../tiles/links";
import { coveringTiles } from "../../tiles/cover";
import type { HeadMap, Rectangles } from "../../tiles/rectangles";

export interface Reading {
  weight: number;
  exact: boolean;
  text: string;
}

export function readWeight(site: Site, map: HeadMap, row: number, col: number, rectangles: Rectangles): Reading {
  if (site.causal && col > row + site.keys - site.queries) {
    return { weight: 0, exact: true, text: "masked: it comes later" };
  }
  const exact = exactWeight(site, map, row, col, rectangles);
  if (exact !== null) return { weight: exact, exact: true, text: exactShare(exact) };
  const weight = overviewAt(site, map.head, row, col);
  const text =
    site.cell === 1 ? `about ${share(weight)}` : `at most ${share(weight)} within ${site.cell} × ${site.cell} tokens`;
  return { weight, exact: false, text };
}

function exactWeight(site: Site, map: HeadMap, row: number, col: number, rectangles: Rectangles): number | null {
  if (wholeMap(site)) {
    const line = rowOf(site, map, row, rectangles);
    return line.exact ? (line.values[col] ?? null) : null;
  }
  const size = { rows: site.queries, cols: site.keys };
  const [tile] = coveringTiles(size, { rows: [row, row + 1], cols: [col, col + 1] }, 1);
  const weights = tile && rectangles.get(map, tile);
  if (!weights) return null;
  return weights.values[(row - weights.rows[0]) * weights.width + (col - weights.cols[0])] ?? null;
}
