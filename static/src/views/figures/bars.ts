/** Lists of values as figures: the likely tokens or classes, and the measures of a head. */
import { exactShare, measured, share } from "../../dom/numbers";
import { drawBars } from "../../figures/bars";
import type { Figure } from "../../figures/figure";
import type { NumberArray } from "../../figures/numbers";
import { measuresScript, probabilitiesScript } from "../../figures/script";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { labelOf, measuresOf } from "../../state/labels";
import { nextAt, placeOfRest } from "../../state/next";
import { measureOf, namesOf } from "../../state/run";
import { headNameInWords } from "../../state/sites";
import { tokenName } from "../../state/text";
import { modelName, originOf } from "./origin";

/** As many as the panel shows; the numbers have all that are here. */
const SHOWN = 10;

interface Likely {
  title: string;
  about: string;
  kind: "CausalLM" | "MaskedLM" | "Seq2SeqLM" | "ImageClassification";
  position: number | null;
  texts: readonly string[];
  ids: Int32Array;
  probabilities: Float32Array;
}

export async function probabilitiesFigure(explorer: Explorer): Promise<Figure | null> {
  const likely = likelyClasses(explorer) ?? likelyTokens(explorer);
  if (!likely) return null;
  const { texts, ids, probabilities, kind, position } = likely;
  const origin = await originOf(explorer, likely.title, likely.about);
  const bars = texts.slice(0, SHOWN).map((text, rank) => {
    const probability = probabilities[rank] ?? 0;
    return { name: tokenName(text), value: share(probability), length: probability };
  });
  return {
    file: origin.file,
    draw: (measure) => drawBars({ title: likely.title, notes: [], bars }, measure),
    arrays: { ids: line(ids), probabilities: line(probabilities), texts },
    table: [
      ["id", "text", "probability"],
      ...texts.map((text, rank) => [String(ids[rank] ?? 0), text, probabilities[rank] ?? 0]),
    ],
    script: probabilitiesScript(origin, { kind, position, many: ids.length }),
  };
}

function likelyClasses(explorer: Explorer): Likely | null {
  const { classes } = explorer.run.value;
  if (!classes) return null;
  return {
    title: say("{model}: what the picture shows", { model: modelName(explorer) }),
    about: "classes",
    kind: "ImageClassification",
    position: null,
    texts: classes.texts,
    ids: classes.arrays.ids.values,
    probabilities: classes.arrays.probabilities.values,
  };
}

function likelyTokens(explorer: Explorer): Likely | null {
  const run = explorer.run.value;
  const { next, sequences } = run;
  if (!next) return null;
  const active = explorer.active.value;
  const last = (next.arrays.ids.shape[0] ?? 1) - 1;
  const isHere = active?.sequence === next.sequence && active.index <= last;
  const position = isHere ? active.index : placeOfRest(next, sequences[next.sequence]);
  const { candidates } = nextAt(next, sequences[next.sequence], position);
  const isGuess = next.sequence === "encoder";
  const values = { model: modelName(explorer), token: namesOf(run, next.sequence)[position] ?? "", n: position };
  return {
    title: isGuess
      ? say("{model}: guesses in place of {token}, position {n}", values)
      : say("{model}: after {token}, position {n}", values),
    about: `${isGuess ? "guesses" : "next"}-${position}`,
    kind: isGuess ? "MaskedLM" : sequences.encoder ? "Seq2SeqLM" : "CausalLM",
    position,
    texts: candidates.map(({ text }) => text),
    ids: Int32Array.from(candidates, ({ id }) => id),
    probabilities: Float32Array.from(candidates, ({ probability }) => probability),
  };
}

export async function measuresFigure(explorer: Explorer): Promise<Figure | null> {
  const selected = explorer.selection.value;
  const site = selected && explorer.run.value.sites.get(selected.site);
  if (!selected || !site || selected.head >= site.heads) return null;
  const measures = measuresOf(site).flatMap((measure) => {
    const value = measureOf(site, selected.head, measure.name);
    return value === null ? [] : [{ ...measure, value }];
  });
  const title = `${modelName(explorer)}, ${headNameInWords(selected.site, selected.head)}`;
  const origin = await originOf(explorer, title, `${selected.site}-${selected.head}-measures`);
  const label = labelOf(site, selected.head);
  const bars = measures.map(({ title: name, unit, value }) => ({
    name,
    value: unit === "share" ? exactShare(value) : measured(value, unit),
    length: unit === "share" ? value : null,
  }));
  return {
    file: origin.file,
    draw: (measure) => drawBars({ title, notes: [label.title, label.sentence].filter(Boolean), bars }, measure),
    arrays: Object.fromEntries(measures.map(({ name, value }) => [name, { values: Float32Array.of(value), shape: [] }])),
    table: [["measure", "value", "unit"], ...measures.map(({ name, value, unit }) => [name, value, unit])],
    script: measuresScript(origin, selected.site, selected.head, measures.map(({ name }) => name)),
  };
}

function line(values: Float32Array | Int32Array): NumberArray {
  return { values, shape: [values.length] };
}
