/** Every head's map, pooled as the grid has it, as a figure: the sites of one kind, layer by layer. */
import type { Figure } from "../../figures/figure";
import { mapScript } from "../../figures/script";
import { drawSmallMaps } from "../../figures/small_maps";
import { rampOf } from "../../gl/ramp";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { sequencesOf, type Site } from "../../state/run";
import { headName, type HeadRef } from "../../state/sites";
import { topsOf } from "../../tiles/tops";
import { modelName, originOf } from "./origin";
import { readEach } from "./reading";

export async function gridFigure(explorer: Explorer): Promise<Figure | null> {
  const run = explorer.run.value;
  const chosen = run.sites.get(explorer.selection.value?.site ?? "");
  if (!run.id || !chosen) return null;
  const alike = [...run.sites.values()].filter((site) => isAlike(site, chosen)).sort((a, b) => a.layer - b.layer);
  const { queries, keys, cell } = chosen;
  const heads = alike.flatMap((site) => Array.from({ length: site.heads }, (_, head): HeadRef => ({ site: site.site, head })));
  const maps = await readEach(run.id, heads, { rows: [0, queries], cols: [0, keys], cell });
  const [height, width] = [Math.ceil(queries / cell), Math.ceil(keys / cell)];
  const values = new Float32Array(heads.length * height * width);
  maps.forEach((map, index) => values.set(map, index * height * width));
  const title = say("{model}: every head", { model: modelName(explorer) });
  const origin = await originOf(explorer, title, `${chosen.stack}-${chosen.kind}-every-head`);
  const { scale, sink } = explorer.view.value;
  const texts = run.sequences[sequencesOf(chosen).columns];
  return {
    file: origin.file,
    draw: (measure) =>
      drawSmallMaps(
        {
          title,
          notes: [
            say("each in colours of its own scale"),
            ...(cell > 1 ? [say("each square is the largest of {n} × {n} weights", { n: cell })] : []),
          ],
          lines: alike.map((site) => ({
            name: `L${site.layer}`,
            maps: maps
              .filter((_, index) => heads[index]?.site === site.site)
              .map((map, head) => ({ values: map, cols: width, rows: height, top: topsOf(site, texts, sink)[head] ?? 1 })),
          })),
          ramp: rampOf("light"),
          scale,
        },
        measure,
      ),
    arrays: { weights: { values, shape: [heads.length, height, width] }, heads: heads.map(nameOf) },
    table: [
      ["head", "row", "col", "weight"],
      ...maps.flatMap((map, index) =>
        Array.from(map, (weight, place): (string | number)[] => [
          nameOf(heads[index] ?? { site: "", head: 0 }),
          Math.floor(place / width) * cell,
          (place % width) * cell,
          weight,
        ]),
      ),
    ],
    script: mapScript(origin, {
      heads: heads.map(({ site, head }) => [site, head] as const),
      rows: [0, queries],
      cols: [0, keys],
      cell,
    }),
  };
}

function isAlike(site: Site, { stack, kind, queries, keys }: Site): boolean {
  return site.stack === stack && site.kind === kind && site.queries === queries && site.keys === keys;
}

function nameOf({ site, head }: HeadRef): string {
  return headName(site, head);
}
