/** The heads of the grid as they are listed now, for the views that show them. */
import type { Explorer } from "./explorer";
import { type HeadList, listHeads, type ListedHead } from "./heads";
import { groupSites, type SiteGroup, sitesOfModel } from "./sites";
import { Store, watch } from "./store";

export interface Listing extends HeadList {
  groups: readonly SiteGroup[];
  headsOf(site: string): number;
}

/** Follows the run and the view; it changes with each site that arrives only where that changes the list. */
export function openListing({ run, view, models, model, change }: Explorer): Store<Listing> {
  let grid = gridNow();
  let listed = inputs();
  const listing = new Store<Listing>({ ...grid, ...listHeads(grid.everyHead, run.value.sites, view.value, change.value) });

  function gridNow() {
    const ofRun = models.value?.find(({ id }) => id === run.value.model);
    const shown = ofRun ?? (run.value.phase === "empty" ? model.value : null);
    const { sites } = run.value;
    const groups = groupSites([...(shown ? sitesOfModel(shown) : []), ...sites.keys()]);
    const heads = new Map<string, number>();
    for (const name of groups.flatMap((group) => group.sites))
      heads.set(name, sites.get(name)?.heads ?? shown?.heads ?? 0);
    const everyHead = [...heads].flatMap(([site, count]) =>
      Array.from({ length: count }, (_, head): ListedHead => ({ site, head, value: null })),
    );
    return { groups, everyHead, headsOf: (site: string) => heads.get(site) ?? 0, signature: [...heads].join() };
  }

  function inputs(): unknown[] {
    const { sort, find, most, picked } = view.value;
    return [sort, find, most, picked, grid, run.value.sites, change.value];
  }

  watch([run, view, models, model, change], () => {
    const next = gridNow();
    if (next.signature !== grid.signature) grid = next;
    const now = inputs();
    if (now.every((input, place) => Object.is(input, listed[place]))) return;
    listed = now;
    const list = listHeads(grid.everyHead, run.value.sites, view.value, change.value);
    // The whole grid keeps its places while layers arrive.
    if (list.isWhole && list.heads === listing.value.heads) return;
    listing.set({ ...grid, ...list });
  });
  return listing;
}
