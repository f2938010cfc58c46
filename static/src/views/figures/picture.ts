/** The picture and where one of its tokens looks, as a figure. */
import type { Figure } from "../../figures/figure";
import { drawPatches } from "../../figures/patches";
import { rgbOf } from "../../figures/png_file";
import { mapScript } from "../../figures/script";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { patchName, patchOf, tokenOfRest } from "../../state/patches";
import { headNameInWords } from "../../state/sites";
import { readWeights } from "../../tiles/rectangles";
import { topsOf } from "../../tiles/tops";
import { modelName, originOf } from "./origin";
import { shownReading } from "./shown";

export async function pictureFigure(explorer: Explorer): Promise<Figure | null> {
  const { id, seen, sites, sequences } = explorer.run.value;
  const selected = explorer.selection.value;
  const site = selected && sites.get(selected.site);
  if (!id || !seen || !selected || !site || selected.head >= site.heads) return null;
  const active = explorer.active.value;
  const row = active && active.index < site.queries ? active.index : Math.max(0, tokenOfRest(seen));
  const shown = shownReading(explorer);
  const area = { ...shown.mapOf(selected), rows: [row, row + 1], cols: [0, site.keys], cell: 1 } as const;
  const { values } = await readWeights(id, { ...area, rows: [...area.rows], cols: [...area.cols] });
  const token = patchName(seen, row, sequences.encoder?.texts[row] ?? "");
  const head = headNameInWords(selected.site, selected.head);
  const title = say("{model}: where {token} looks", { model: modelName(explorer), token });
  const origin = await originOf(explorer, title, `${selected.site}-${selected.head}-row-${row}${shown.file}`);
  const [height = 1, width = 1, channels = 1] = seen.arrays.pixels.shape;
  const patches = values.subarray(seen.first);
  const largest = patches.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const { scale, sink } = explorer.view.value;
  return {
    file: origin.file,
    draw: (measure) =>
      drawPatches(
        {
          title,
          notes: [
            head,
            ...shown.notes,
            say("on all patches {all}", { all: shown.tell(patches.reduce((sum, weight) => sum + weight, 0)) }),
          ],
          picture: { bytes: rgbOf(seen.arrays.pixels.values, channels), cols: width, rows: height },
          weights: {
            values: patches,
            cols: seen.cols,
            rows: seen.rows,
            covers: [seen.cols * (seen.patch[1] ?? 1), seen.rows * (seen.patch[0] ?? 1)],
          },
          looking: row < seen.first ? null : row - seen.first,
          ramp: shown.ramp,
          signed: shown.text.isSigned,
          scale,
          top: shown.areWeights ? (topsOf(site, sequences.encoder, sink)[selected.head] ?? 1) : largest,
          legend: `${shown.text.number}${scale === "linear" ? "" : `, ${scale}`}`,
          format: shown.tell,
        },
        measure,
      ),
    arrays: { weights: { values, shape: [1, site.keys] }, tokens: [...(sequences.encoder?.texts ?? [])] },
    table: [
      ["token", "patch_row", "patch_col", "weight"],
      ...Array.from(values, (weight, index): (string | number)[] => {
        const patch = patchOf(seen, index);
        const place = patch ? [String(patch.row + 1), String(patch.col + 1)] : ["", ""];
        return [sequences.encoder?.texts[index] ?? "", ...place, weight];
      }),
    ],
    script: mapScript(origin, {
      heads: [[selected.site, selected.head]],
      rows: [row, row + 1],
      cols: [0, site.keys],
      cell: 1,
      ...shown.scripted,
    }),
  };
}
