/** What the picture shows now: whose row, of which head, and how much of it lies where. */
import type { Explorer } from "../../state/explorer";
import type { Picture } from "../../state/run";
import { massOf, readingOf, type ReadingText, shownMap } from "../../state/reading";
import { tokenOfRest } from "../../state/patches";
import { rowArea, rowOf } from "../../tiles/links";
import { floorOf } from "../../tiles/mass";
import type { HeadMap, Rectangles } from "../../tiles/rectangles";
import { topsOf } from "../../tiles/tops";

export interface PictureReading {
  seen: Picture;
  /** The token that looks. */
  row: number;
  /** On each token, the first ones too; 0 where the threshold leaves it out. */
  weights: Float32Array;
  exact: boolean;
  /** The weight that takes the last colour, as on the map. */
  top: number;
  /** What the weights are. */
  shown: ReadingText;
}

/** null where the run reads no picture, or has no such head yet. Asks for the row where it is not here. */
export function readPicture(explorer: Explorer, rectangles: Rectangles): PictureReading | null {
  const { id, seen, sites, sequences } = explorer.run.value;
  const selected = explorer.selection.value;
  const site = selected && sites.get(selected.site);
  const active = explorer.active.value;
  const row = active?.sequence === "encoder" && site && active.index < site.queries ? active.index : null;
  if (!seen || !id || !site || selected.head >= site.heads) return null;
  const map: HeadMap = shownMap(explorer.run.value, explorer.view.value, selected);
  const shown = readingOf(explorer.view.value);
  const looking = row ?? Math.max(0, tokenOfRest(seen));
  rectangles.want("picture", map, [rowArea(site, looking)]);
  const { values, exact } = rowOf(site, map, looking, rectangles);
  const { sink } = explorer.view.value;
  const mass = massOf(explorer.view.value);
  const least = exact && mass < 1 ? floorOf(values, mass) : 0;
  const weights = shown.isSigned ? values : values.map((weight) => (weight >= least ? weight : 0));
  const top = map.reading
    ? // One row at a time is seen: the whole picture's colours are for it, and for the patches alone.
      values.subarray(seen.first).reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1
    : (topsOf(site, sequences.encoder, sink)[selected.head] ?? 1);
  return { seen, row: looking, weights, exact, top, shown };
}

/** The share of a row that lies on the picture itself, not on the first tokens. */
export function shareOnPatches({ seen, weights }: PictureReading): number {
  return weights.subarray(seen.first).reduce((sum, weight) => sum + weight, 0);
}

/** The patch, as a token, that a row looks at most. */
export function strongestPatch({ seen, weights }: PictureReading): number {
  let best = seen.first;
  for (let token = seen.first; token < weights.length; token++)
    if ((weights[token] ?? 0) > (weights[best] ?? 0)) best = token;
  return best;
}
