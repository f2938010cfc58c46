/**
 * The words of labels and measures. What a head is called was decided where the run was computed
 * (modelcore/analysis/labels.py), so that the page, the API and the command line say the same.
 */
import { say } from "../language/say";
import { measureOf } from "./run";
import type { Site } from "../wire/messages";

export interface MeasureText {
  name: string;
  title: string;
  unit: "share" | "nats" | "tokens";
  meaning: string;
  /** How it is computed: p is a row of the map, s the row's own place, and R the number of rows that see something. */
  formula: string;
  source: string;
}

export interface HeadLabel {
  /** The label's name on the wire; null in runs stored before heads were labelled. */
  name: string | null;
  /** The measure that shows it, or null where no pattern stands out. */
  measure: string | null;
  title: string;
  /** The share of weight that the label speaks of, where it speaks of one. */
  value: number | null;
  sentence: string;
  /** By how much it leads the next, and how sure that is; 0 to 1. */
  margin: number;
  confidence: number;
}

const CLARK = say("Clark et al. 2019, arXiv 1906.04341, section 3");

export const MEASURES: MeasureText[] = [
  {
    name: "induction",
    title: say("induction"),
    unit: "share",
    meaning: say("Weight on the token that followed an earlier copy of this one, where there is a copy."),
    formula: say("Σ p_ij over j ≤ i whose token before is token i; mean over the rows whose token came before"),
    source: say("Olsson et al. 2022, arXiv 2209.11895"),
  },
  {
    name: "previous_token",
    title: say("previous token"),
    unit: "share",
    meaning: say("Weight on the token directly before."),
    formula: "(1/R) Σ_i p_i(s−1)",
    source: CLARK,
  },
  {
    name: "next_token",
    title: say("next token"),
    unit: "share",
    meaning: say("Weight on the token directly after."),
    formula: "(1/R) Σ_i p_i(s+1)",
    source: CLARK,
  },
  {
    name: "duplicate_token",
    title: say("duplicate token"),
    unit: "share",
    meaning: say("Weight on earlier copies of the same token, where there are any."),
    formula: say("Σ p_ij over j < i with the same token as i; mean over the rows whose token came before"),
    source: say("Wang et al. 2022, arXiv 2211.00593, section 3"),
  },
  {
    name: "diagonal",
    title: say("same position"),
    unit: "share",
    meaning: say("Weight on the token itself; between two texts, on the one at the same position."),
    formula: "(1/R) Σ_i p_i(s)",
    source: CLARK,
  },
  {
    name: "positional",
    title: say("positional"),
    unit: "share",
    meaning: say("Weight that lies where distance alone would place it: as many tokens away as in the other rows."),
    formula: say("(1/R) Σ_i Σ_d min(p_i(s+d), mean of p(s+d) over the other rows), d from −16 to 16, sinks left out"),
    source: say("after Voita et al. 2019, arXiv 1905.09418, section 4"),
  },
  {
    name: "punctuation",
    title: say("punctuation"),
    unit: "share",
    meaning: say("Weight on tokens that are punctuation and nothing else."),
    formula: say("(1/R) Σ_i Σ p_ij over the keys j that are punctuation"),
    source: CLARK,
  },
  {
    name: "received",
    title: say("most received"),
    unit: "share",
    meaning: say("How much of all weight the token that draws the most draws; first and special tokens left out."),
    formula: "max_j (1/R) Σ_i p_ij",
    source: say("column sums as in H2O, Zhang et al. 2023, arXiv 2306.14048, section 4"),
  },
  {
    name: "first_token",
    title: say("first token"),
    unit: "share",
    meaning: say("Weight on the first token, where many heads rest when they have nothing to do."),
    formula: "(1/R) Σ_i p_i(0)",
    source: say("Xiao et al. 2023, arXiv 2309.17453, section 3.1"),
  },
  {
    name: "special",
    title: say("special tokens"),
    unit: "share",
    meaning: say("Weight on tokens that stand for no text, such as [CLS], [SEP] or the end of a text."),
    formula: say("(1/R) Σ_i Σ p_ij over the keys j that are special"),
    source: CLARK,
  },
  {
    name: "sink",
    title: say("sinks together"),
    unit: "share",
    meaning: say("Weight at rest: on the first token, on special tokens, and on sinks that the model has learned."),
    formula: say("(1/R) Σ_i Σ p_ij over the keys j that are sinks, and what the row is short of 1"),
    source: say("Xiao et al. 2023, arXiv 2309.17453, section 3.1"),
  },
  {
    name: "entropy",
    title: say("entropy"),
    unit: "nats",
    meaning: say("How widely the weight is spread: 0 is one token; the natural logarithm of n is n tokens alike."),
    formula: "−(1/R) Σ_i Σ_j p_ij ln p_ij",
    source: CLARK,
  },
  {
    name: "distance",
    title: say("mean distance"),
    unit: "tokens",
    meaning: say("How far away it looks on average, in tokens."),
    formula: "(1/R) Σ_i Σ_j p_ij |s − j|",
    source: say("Vig & Belinkov 2019, arXiv 1906.04284"),
  },
];

interface LabelText {
  title: string;
  sentence: string;
  measure: string | null;
}

const LABELS: Readonly<Record<string, LabelText>> = {
  induction: {
    title: say("induction"),
    sentence: say(
      "It looks at what came after this token the last time it occurred. That is how a model continues a repetition.",
    ),
    measure: "induction",
  },
  previous_token: {
    title: say("previous token"),
    sentence: say("It looks at the token directly before."),
    measure: "previous_token",
  },
  next_token: {
    title: say("next token"),
    sentence: say("It looks at the token directly after."),
    measure: "next_token",
  },
  same: { title: say("same position"), sentence: say("It looks at the same position."), measure: "diagonal" },
  duplicate_token: {
    title: say("duplicate token"),
    sentence: say("It looks back at earlier copies of the same token."),
    measure: "duplicate_token",
  },
  punctuation: {
    title: say("punctuation"),
    sentence: say("It looks at punctuation, far more than there is of it."),
    measure: "punctuation",
  },
  positional: {
    title: say("positional"),
    sentence: say("It looks a certain way back or ahead, whatever the tokens there are."),
    measure: "positional",
  },
  first_token: {
    title: say("first token"),
    sentence: say("It rests on the first token. Heads often do so when they have nothing to do here."),
    measure: "first_token",
  },
  special: {
    title: say("special tokens"),
    sentence: say("It rests on special tokens. Heads often do so when they have nothing to do here."),
    measure: "special",
  },
  broad: {
    title: say("broad"),
    sentence: say("It spreads its weight over nearly everything that it may see, a mean of all it reads."),
    measure: "entropy",
  },
  unclear: {
    title: say("unclear"),
    sentence: say("No single pattern holds most of its weight on this text."),
    measure: null,
  },
};

/** Patterns within one text mean nothing between two. */
const SELF_ONLY = ["induction", "previous_token", "next_token", "duplicate_token", "positional"];

export function measuresOf(site: Site): MeasureText[] {
  return MEASURES.filter(
    ({ name }) =>
      site.measures.includes(name) &&
      (site.kind === "self" || !SELF_ONLY.includes(name)) &&
      !(site.causal && name === "next_token"),
  );
}

/** What a label is called, whatever head bears it. */
export function labelTitle(name: string): string {
  return name === "focused" ? say("focused") : (LABELS[name]?.title ?? name.replaceAll("_", " "));
}

export function labelOf(site: Site, head: number): HeadLabel {
  const name = site.labels?.[head] ?? null;
  const { title, sentence, measure } = textOf(name, site, head);
  const isShare = MEASURES.find((known) => known.name === measure)?.unit === "share";
  return {
    name,
    measure,
    title,
    value: measure !== null && isShare ? measureOf(site, head, measure) : null,
    sentence,
    margin: site.arrays.margin?.values[head] ?? 0,
    confidence: site.arrays.confidence?.values[head] ?? 0,
  };
}

function textOf(name: string | null, site: Site, head: number): LabelText {
  if (name === null) {
    const isGrowing = site.measures.length === 0;
    const why = isGrowing
      ? say("Heads are labelled on the finished text.")
      : say("Heads were not labelled in this run.");
    return { title: say("not labelled"), sentence: why, measure: null };
  }
  if (name === "focused") {
    const tokens = Math.exp(measureOf(site, head, "entropy") ?? 0).toFixed(1);
    const sentence = say("Each token looks at about {tokens} tokens of the other text.", { tokens });
    return { title: say("focused"), sentence, measure: "entropy" };
  }
  // A later version may know labels that this page does not.
  return LABELS[name] ?? { title: name.replaceAll("_", " "), sentence: "", measure: null };
}

const CLEARLY = 0.8;
const PROBABLY = 0.4;

/** How sure a label is, in a word; none where there is nothing to be sure of. */
export function confidenceInWords({ name, confidence }: HeadLabel): string {
  if (name === null || name === "unclear") return "";
  return confidence >= CLEARLY ? say("clearly") : confidence >= PROBABLY ? say("probably") : say("hardly");
}
