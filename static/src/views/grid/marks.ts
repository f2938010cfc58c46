/**
 * Marks in the browser's own timeline when the heads of a site are drawn for the first time, "site-drawn:decoder.self.3":
 * a profiler shows them, and `./run bench explorer` measures by them.
 */
import type { Batch } from "../../gl/surface";
import type { Site } from "../../state/run";

const drawnBefore = new WeakSet<Site>();

export function markDrawn(sites: Iterable<Site>, maps: readonly Batch[]): void {
  const fresh = [...sites].filter((site) => !drawnBefore.has(site));
  if (fresh.length === 0) return;
  const drawn = new Set(maps.map(({ quads }) => quads[0]?.sheet.values));
  for (const site of fresh) {
    if (!drawn.has(site.arrays.overview.values)) continue;
    drawnBefore.add(site);
    const name = `site-drawn:${site.site}`;
    // A browser keeps every mark until the page is left; of each site the newest is enough.
    performance.clearMarks(name);
    performance.mark(name);
  }
}
