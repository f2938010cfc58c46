/** Which head is shown: the person's choice, else the one that the model's card points at, else a telling one. */
import { type HeadRef, parseSite } from "./sites";
import { measureOf, type Run } from "./run";
import type { View } from "./view";

export function selectedHead(run: Run, view: View, pointed: HeadRef | null): HeadRef | null {
  if (view.site) return { site: view.site, head: view.head };
  if (pointed) return { site: pointed.site, head: pointed.head };
  return run.phase === "finished" ? tellingHead(run) : firstHead(run);
}

function firstHead(run: Run): HeadRef | null {
  const [site] = run.sites.keys();
  return site ? { site, head: 0 } : null;
}

/**
 * The strongest induction head of a decoder, the strongest previous-token head of an encoder; where there are both, the
 * most decided head of cross-attention.
 */
function tellingHead(run: Run): HeadRef | null {
  let best: (HeadRef & { value: number }) | null = null;
  const sites = [...run.sites.values()];
  const isPair = sites.some(({ kind }) => kind === "cross");
  const telling = sites.some(({ causal }) => causal) ? "induction" : "previous_token";
  for (const site of sites) {
    if (isPair && parseSite(site.site)?.kind !== "cross") continue;
    for (let head = 0; head < site.heads; head++) {
      const value = isPair
        ? -(measureOf(site, head, "entropy") ?? Infinity)
        : (measureOf(site, head, telling) ?? -1);
      if (!best || value > best.value) best = { site: site.site, head, value };
    }
  }
  return best && { site: best.site, head: best.head };
}
