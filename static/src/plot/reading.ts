/** One weight as the map can tell it now: exact, or the largest of a pooled cell. */
import { exactShare, real, share } from "../dom/numbers";
import { readingOf } from "../state/reading";
import type { Site } from "../state/run";
import type { View } from "../state/view";
import { say } from "../language/say";
import type { Floors } from "../tiles/floors";
import { rowOf, wholeMap, overviewAt } from "../tiles/links";
import { coveringTiles } from "../tiles/cover";
import type { HeadMap, Rectangles } from "../tiles/rectangles";

export interface Reading {
  weight: number;
  exact: boolean;
  /** Whether it is drawn: not where the threshold leaves it out. */
  drawn: boolean;
  text: string;
}

export function readWeight(
  site: Site,
  map: HeadMap,
  row: number,
  col: number,
  mass: number,
  rectangles: Rectangles,
  floors: Floors,
): Reading {
  if (site.causal && col > row + site.keys - site.queries) {
    return { weight: 0, exact: true, drawn: false, text: say("masked: it comes later") };
  }
  const exact = exactWeight(site, map, row, col, rectangles);
  if (exact !== null) {
    const floor = mass < 1 ? floors.at(site, map, row, mass) : null;
    const drawn = floor === null || exact >= floor;
    return { weight: exact, exact: true, drawn, text: wordsOf(exact, mass, floor) };
  }
  if (map.reading) return { weight: 0, exact: false, drawn: false, text: say("on its way") };
  const weight = overviewAt(site, map.head, row, col);
  const text =
    site.cell === 1
      ? say("about {weight}", { weight: share(weight) })
      : say("at most {weight} within {n} × {n} tokens", { weight: share(weight), n: site.cell });
  return { weight, exact: false, drawn: true, text };
}

/** The number with the name of what it is: a weight is told as it is, other readings by what they count. */
export function numberIn(view: Pick<View, "reading">, { weight, exact, text }: Reading): string {
  const reading = readingOf(view);
  if (reading.name === "attention" || !exact) return text;
  const number = reading.isShare ? exactShare(weight) : real(weight);
  return `${reading.isSigned && weight > 0 ? "+" : ""}${number} ${reading.number}`;
}

function wordsOf(exact: number, mass: number, floor: number | null): string {
  const weight = exactShare(exact);
  if (mass >= 1) return weight;
  if (floor === null) return say("{weight}, its threshold is on its way", { weight });
  return exact >= floor ? say("{weight}, kept by the threshold", { weight }) : say("{weight}, below the threshold", { weight });
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
