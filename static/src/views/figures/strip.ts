/** The text with what one token looks at shaded, as a figure. */
import type { Figure } from "../../figures/figure";
import { drawFlow } from "../../figures/flow";
import { mapScript } from "../../figures/script";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { namesOf, sequencesOf } from "../../state/run";
import { headNameInWords } from "../../state/sites";
import { visible } from "../../state/text";
import { readWeights } from "../../tiles/rectangles";
import { isSink } from "../../tiles/tops";
import { modelName, originOf } from "./origin";
import { shownReading } from "./shown";

/** --looks-at of light pages. */
const BLUE = [37, 99, 216] as const;
/** Where even the strongest weight is weaker, all stay faint. */
const LEAST_TOP = 0.1;

/** null where no token of the head's rows is kept or pointed at. */
export async function stripFigure(explorer: Explorer): Promise<Figure | null> {
  const run = explorer.run.value;
  const selected = explorer.selection.value;
  const site = selected && run.sites.get(selected.site);
  const active = explorer.active.value;
  if (!run.id || !selected || !site || !active) return null;
  const { rows, columns } = sequencesOf(site);
  const keys = run.sequences[columns];
  if (active.sequence !== rows || active.index >= site.queries || !keys) return null;
  const part = { rows: [active.index, active.index + 1], cols: [0, site.keys], cell: 1 } as const;
  const shown = shownReading(explorer);
  const { values } = await readWeights(run.id, { ...shown.mapOf(selected), rows: [...part.rows], cols: [...part.cols], cell: 1 });
  const title = say("{model}: where {token} looks, position {n}", {
    model: modelName(explorer),
    token: namesOf(run, rows)[active.index] ?? "",
    n: active.index,
  });
  const origin = await originOf(explorer, title, `${selected.site}-${selected.head}-row-${active.index}${shown.file}`);
  // As on the page: where heads rest does not count for the strongest, and faint weights can be found.
  const counted = values.filter((_, key) => !isSink(site, keys, key));
  const top = counted.reduce((most, weight) => Math.max(most, weight), shown.text.isShare ? LEAST_TOP : Number.MIN_VALUE);
  const names = namesOf(run, columns);
  return {
    file: origin.file,
    draw: (measure) =>
      drawFlow(
        {
          title,
          notes: [
            headNameInWords(selected.site, selected.head),
            ...shown.notes,
            say("the darkest is {top} or more, tints grow with the square root", { top: shown.tell(top) }),
          ],
          tokens: keys.texts.map((text, key) => ({
            text: visible(text) || (names[key] ?? ""),
            share: Math.sqrt(Math.min(1, Math.max(0, values[key] ?? 0) / top)),
            isFramed: rows === columns && key === active.index,
            breaksAfter: /\n/.test(text),
          })),
          colour: BLUE,
        },
        measure,
      ),
    arrays: { weights: { values, shape: [1, site.keys] }, tokens: [...keys.texts] },
    table: [["position", "token", "weight"], ...Array.from(values, (weight, key) => [key, names[key] ?? "", weight])],
    script: mapScript(origin, {
      heads: [[selected.site, selected.head]],
      ...part,
      ...shown.scripted,
    }),
  };
}
