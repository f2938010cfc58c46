/** A snapshot taken apart into its sites, each as a trace tells of it, so that heads are named and drawn alike. */
import { parseSite } from "./sites";
import type { Site, Snapshot } from "../wire/messages";

const taken = new WeakMap<Snapshot, readonly Site[]>();

/** Cost: none after the first time; the sites' arrays are views of the snapshot's. */
export function sitesOf(snapshot: Snapshot): readonly Site[] {
  const known = taken.get(snapshot);
  if (known) return known;
  const { overview, scale, measures } = snapshot.arrays;
  let [firstByte, firstHead, firstMeasure] = [0, 0, 0];
  const sites = snapshot.sites.map((site, index): Site => {
    const heads = snapshot.heads[index] ?? 0;
    const queries = snapshot.queries[index] ?? 0;
    const keys = snapshot.keys[index] ?? 0;
    const cell = snapshot.cell[index] ?? 1;
    const names = snapshot.measures[index] ?? [];
    const [rows, cols] = [Math.ceil(queries / cell), Math.ceil(keys / cell)];
    const parsed = parseSite(site);
    const bytes = heads * rows * cols;
    const told: Site = {
      type: "site",
      seq: snapshot.seq,
      site,
      stack: parsed?.stack ?? "decoder",
      kind: parsed?.kind ?? "self",
      layer: parsed?.layer ?? index,
      heads,
      queries,
      keys,
      causal: snapshot.causal[index] ?? false,
      cell,
      rule: "max",
      encoding: "sqrt",
      measures: names,
      labels: snapshot.labels[index] ?? [],
      seconds: 0,
      arrays: {
        overview: { values: overview.values.subarray(firstByte, firstByte + bytes), shape: [heads, rows, cols] },
        scale: { values: scale.values.subarray(firstHead, firstHead + heads), shape: [heads] },
        measures: {
          values: measures.values.subarray(firstMeasure, firstMeasure + names.length * heads),
          shape: [names.length, heads],
        },
      },
    };
    firstByte += bytes;
    firstHead += heads;
    firstMeasure += names.length * heads;
    return told;
  });
  taken.set(snapshot, sites);
  return sites;
}

export function siteOf(snapshot: Snapshot, name: string): Site | null {
  return sitesOf(snapshot).find(({ site }) => site === name) ?? null;
}

/** A measure of each site, the mean over its heads: one curve a layer. Null where a snapshot lacks it. */
export function meanOverHeads(site: Site, measure: string): number | null {
  const place = site.measures.indexOf(measure);
  if (place < 0) return null;
  const values = site.arrays.measures.values.subarray(place * site.heads, (place + 1) * site.heads);
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, site.heads);
}
