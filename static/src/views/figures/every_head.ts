/** Where one token of a picture looks in every head, as a figure. */
import type { Figure } from "../../figures/figure";
import { mapScript } from "../../figures/script";
import { drawSmallMaps } from "../../figures/small_maps";
import { rampOf } from "../../gl/ramp";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { patchName, tokenOfRest } from "../../state/patches";
import { headName, type HeadRef, parseSite } from "../../state/sites";
import { modelName, originOf } from "./origin";
import { readEach } from "./reading";

export async function everyHeadFigure(explorer: Explorer): Promise<Figure | null> {
  const { id, seen, sites, sequences } = explorer.run.value;
  if (!id || !seen || sites.size === 0) return null;
  const active = explorer.active.value;
  const row = active?.index ?? Math.max(0, tokenOfRest(seen));
  const keys = Math.min(...[...sites.values()].map((site) => site.keys));
  const heads = [...sites.values()].flatMap((site) =>
    Array.from({ length: site.heads }, (_, head): HeadRef => ({ site: site.site, head })),
  );
  const lines = await readEach(id, heads, { rows: [row, row + 1], cols: [0, keys], cell: 1 });
  const token = patchName(seen, row, sequences.encoder?.texts[row] ?? "");
  const title = say("{model}: where {token} looks in every head", { model: modelName(explorer), token });
  const origin = await originOf(explorer, title, `every-head-row-${row}`);
  const values = new Float32Array(heads.length * keys);
  lines.forEach((line, index) => values.set(line, index * keys));
  const { scale } = explorer.view.value;
  const texts = [...(sequences.encoder?.texts ?? [])];
  return {
    file: origin.file,
    draw: (measure) =>
      drawSmallMaps(
        {
          title,
          notes: [say("each in colours of its own scale")],
          lines: [...sites.keys()].map((site) => ({
            name: `L${parseSite(site)?.layer ?? ""}`,
            maps: lines
              .filter((_, index) => heads[index]?.site === site)
              .map((line) => {
                const patches = line.subarray(seen.first);
                const top = patches.reduce((most, weight) => Math.max(most, weight), 0);
                return { values: patches, cols: seen.cols, rows: seen.rows, top };
              }),
          })),
          ramp: rampOf("light"),
          scale,
        },
        measure,
      ),
    arrays: { weights: { values, shape: [heads.length, 1, keys] }, heads: heads.map(nameOf), tokens: texts },
    table: [["head", ...texts], ...heads.map((ref, index) => [nameOf(ref), ...(lines[index] ?? [])])],
    script: mapScript(origin, {
      heads: heads.map(({ site, head }) => [site, head] as const),
      rows: [row, row + 1],
      cols: [0, keys],
      cell: 1,
    }),
  };
}

function nameOf({ site, head }: HeadRef): string {
  return headName(site, head);
}
