/** The difference of two runs' maps as a figure: what is in sight of it. */
import { signedShare } from "../../dom/numbers";
import type { Figure } from "../../figures/figure";
import { drawMatrix } from "../../figures/matrix";
import { differenceScript } from "../../figures/script";
import { divergingRampOf } from "../../gl/ramp";
import { shorten } from "../../language/letters";
import { say } from "../../language/say";
import type { Comparison } from "../../state/compare";
import type { Explorer } from "../../state/explorer";
import { namesOf, type Run, type SequenceName, sequencesOf } from "../../state/run";
import { headNameInWords } from "../../state/sites";
import { readDifferences } from "../../tiles/differences";
import { modelName, originOf, originOfRun } from "./origin";

/** What the comparison shows. */
export interface DifferenceShown {
  rows: [number, number];
  cols: [number, number];
  /** The difference that takes the last colour. */
  top: number;
}

const LONGEST_TEXT = 40;
const MOST_VALUES = 1 << 20;

export async function differenceFigure(
  explorer: Explorer,
  comparison: Comparison,
  shown: DifferenceShown | null,
): Promise<Figure | null> {
  const selected = explorer.selection.value;
  const compared = comparison.compared.value;
  const site = selected && comparison.first.sites.get(selected.site);
  if (!shown || !compared || !site || !comparison.found.value) return null;
  let cell = 1;
  while (sideOf(shown.rows) * sideOf(shown.cols) > MOST_VALUES) cell *= 2;
  const rows = aligned(shown.rows, site.queries);
  const cols = aligned(shown.cols, site.keys);
  const { values } = await readDifferences(compared, { ...selected, rows, cols, cell });
  const names = sequencesOf(site);
  const rowNames = namesIn(names.rows, rows);
  const colNames = namesIn(names.columns, cols);
  const { scale } = explorer.view.value;
  const title = `${modelName(explorer)}, ${headNameInWords(site.site, selected.head)}`;
  const first = await originOf(explorer, title, `${site.site}-${selected.head}-difference`);
  const second = await originOfRun(comparison.other.value, explorer, title, "second");
  const isMasked = site.causal && !explorer.view.value.pairs;
  const reach = isMasked ? site.keys - site.queries : Number.POSITIVE_INFINITY;
  const width = colNames.length;
  return {
    file: first.file,
    draw: (measure) =>
      drawMatrix(
        {
          title,
          notes: notesOf(),
          values,
          rows: rowNames,
          cols: colNames,
          isMasked: (row, col) =>
            Number.isNaN(values[row * width + col]) || cols[0] + col * cell > rows[0] + (row + 1) * cell - 1 + reach,
          ramp: divergingRampOf("light"),
          scale,
          top: shown.top,
          legend: `${say("difference of weights")}${scale === "linear" ? "" : `, ${scale}`}`,
          format: signedShare,
          signed: true,
        },
        measure,
      ),
    arrays: {
      difference: { values, shape: [rowNames.length, width] },
      row_tokens: rowNames,
      col_tokens: colNames,
    },
    table: [
      ["", ...colNames],
      ...rowNames.map((name, row) => [
        name,
        ...[...values.subarray(row * width, (row + 1) * width)].map((value) => (Number.isNaN(value) ? "" : value)),
      ]),
    ],
    script: differenceScript(first, second, {
      ...selected,
      rows,
      cols,
      cell,
      ofRows: [...comparison.partners(names.rows, "a")],
      ofCols: [...comparison.partners(names.columns, "a")],
    }),
  };

  function sideOf([start, stop]: [number, number]): number {
    return Math.ceil((stop - start) / cell);
  }

  function aligned([start, stop]: [number, number], length: number): [number, number] {
    return [Math.floor(start / cell) * cell, Math.min(length, Math.ceil(stop / cell) * cell)];
  }

  function namesIn(sequence: SequenceName, [start, stop]: [number, number]): string[] {
    const all = namesOf(comparison.first, sequence);
    return Array.from({ length: Math.ceil((stop - start) / cell) }, (_, index) => all[start + index * cell] ?? "");
  }

  function notesOf(): string[] {
    const change = comparison.head?.distance;
    return [
      say("Difference, B − A"),
      `A: ${described(comparison.first)}`,
      `B: ${described(comparison.other.value)}`,
      change == null ? "" : say("changed by {distance}", { distance: change.toFixed(3) }),
      say("grey: no partner in the other run, or not seen"),
      cell > 1 ? say("each square is the value furthest from 0 of {n} × {n}", { n: cell }) : "",
    ].filter(Boolean);
  }

  function described(run: Run): string {
    const model = explorer.models.value?.find(({ id }) => id === run.model)?.name ?? run.model ?? "";
    return `${model}, ${run.picture ? say("A picture") : shorten(run.text ?? "", LONGEST_TEXT)}`;
  }
}
