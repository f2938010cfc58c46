/** What goes up to the graphics card: a site's overviews as one stack, an exact or pooled rectangle as one map. */
import type { Sheet } from "../gl/surface";
import { mapKey } from "./readings";
import type { HeadMap, Weights } from "./rectangles";
import type { Site } from "../wire/messages";

export function overviewSheet(run: string, site: Site): Sheet {
  const [layers = 0, height = 0, width = 0] = site.arrays.overview.shape;
  const key = `${run}/${site.site}/${site.seq}`;
  return { key, run, values: site.arrays.overview.values, width, height, layers };
}

export function weightsSheet(
  map: HeadMap,
  { cell, rows, cols, values, height, width }: Weights,
): Sheet {
  const key = `${mapKey(map)}${cell}/${rows.join(":")}/${cols.join(":")}`;
  return { key, run: map.run, values, width, height, layers: 1 };
}
