/** The kept pair of tokens, as a place in the shown head's map: the row's token and the key that it looks at. */
import { type Run, sequencesOf } from "./run";
import type { HeadRef } from "./sites";
import type { View } from "./view";

export interface KeptPair {
  row: number;
  col: number;
}

/** null where no pair is kept, or the kept one is no row and column of this map. */
export function keptPair(run: Run, selected: HeadRef | null, { token, key }: View): KeptPair | null {
  const site = selected && run.sites.get(selected.site);
  if (!site || !token || key === null || token.sequence !== sequencesOf(site).rows) return null;
  return token.index < site.queries && key < site.keys ? { row: token.index, col: key } : null;
}
