/** Where each head's map stands: a line for each layer; one with more heads than fit takes several. */
import type { HeadRef, SiteGroup } from "../../state/sites";

export interface HeadPlaces {
  heads: (HeadRef & { x: number; y: number })[];
  /** In CSS pixels. */
  side: number;
  texts: { text: string; x: number; y: number; isTitle: boolean }[];
  height: number;
}

export const NO_PLACES: HeadPlaces = { heads: [], side: 1, texts: [], height: 0 };

const GUTTER_PX = 28;
const GAP_PX = 6;
const TITLE_PX = 22;
const SMALLEST_PX = 28;
const LARGEST_PX = 96;
/** The frame of a chosen head stands outside its map. */
const EDGE_PX = 2;

export function placeHeads(groups: readonly SiteGroup[], headsOf: (site: string) => number, width: number): HeadPlaces {
  const most = Math.max(1, ...groups.flatMap(({ sites }) => sites.map(headsOf)));
  const room = width - GUTTER_PX - EDGE_PX;
  const side = Math.min(LARGEST_PX, Math.max(SMALLEST_PX, Math.floor(room / most) - GAP_PX));
  const perLine = Math.max(1, Math.min(most, Math.floor((room + GAP_PX) / (side + GAP_PX))));
  const places: HeadPlaces = { heads: [], side, texts: [], height: 0 };
  let y = EDGE_PX;
  for (const { title, sites } of groups) {
    if (title) {
      places.texts.push({ text: title, x: 0, y: y + TITLE_PX / 2, isTitle: true });
      y += TITLE_PX;
    }
    for (const [layer, site] of sites.entries()) {
      places.texts.push({ text: `L${layer}`, x: 0, y: y + side / 2, isTitle: false });
      for (let head = 0; head < headsOf(site); head++) {
        const [line, place] = [Math.floor(head / perLine), head % perLine];
        places.heads.push({ site, head, x: GUTTER_PX + place * (side + GAP_PX), y: y + line * (side + GAP_PX) });
      }
      y += Math.max(1, Math.ceil(headsOf(site) / perLine)) * (side + GAP_PX);
    }
  }
  places.height = y + EDGE_PX;
  return places;
}
