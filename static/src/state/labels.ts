/**
 * What a head does, in one label: the pattern that holds most of its weight, if it holds clearly more than the next.
 *
 * The first token is taken out first: many heads rest on it when they have nothing to do, and would all look alike.
 * "Unclear" is a label.
 */
import { measureOf } from "./run";
import type { Site } from "../wire/messages";

export interface MeasureText {
  name: string;
  title: string;
  unit: "share" | "nats" | "tokens";
  meaning: string;
}

export interface HeadLabel {
  /** The measure that gave the label, or null where no pattern stands out. */
  measure: string | null;
  title: string;
  value: number | null;
  sentence: string;
}

export const MEASURES: MeasureText[] = [
  {
    name: "induction",
    title: "induction",
    unit: "share",
    meaning: "Weight on the token that followed an earlier copy of this one, where there is a copy.",
  },
  { name: "previous_token", title: "previous token", unit: "share", meaning: "Weight on the token directly before." },
  {
    name: "duplicate_token",
    title: "duplicate token",
    unit: "share",
    meaning: "Weight on earlier copies of the same token, where there are any.",
  },
  {
    name: "diagonal",
    title: "same position",
    unit: "share",
    meaning: "Weight on the token itself; between two texts, on the one at the same position.",
  },
  {
    name: "first_token",
    title: "first token",
    unit: "share",
    meaning: "Weight on the first token, where many heads rest when they have nothing to do.",
  },
  {
    name: "entropy",
    title: "entropy",
    unit: "nats",
    meaning: "How widely the weight is spread: 0 is one token; the natural logarithm of n is n tokens alike.",
  },
  { name: "distance", title: "mean distance", unit: "tokens", meaning: "How far away it looks on average, in tokens." },
];

const SENTENCES: Record<string, string> = {
  induction:
    "It looks at what came after this token the last time it occurred. That is how a model continues a repetition.",
  previous_token: "It looks at the token directly before.",
  duplicate_token: "It looks back at earlier copies of the same token.",
  diagonal: "It looks at the same position.",
  first_token: "It rests on the first token. Heads often do so when they have nothing to do here.",
};

/** Patterns within one text mean nothing between two. */
const SELF_ONLY = ["induction", "previous_token", "duplicate_token"];

export function measuresOf(site: Site): MeasureText[] {
  return MEASURES.filter(
    ({ name }) => site.measures.includes(name) && (site.kind === "self" || !SELF_ONLY.includes(name)),
  );
}

const PATTERNS = ["induction", "previous_token", "duplicate_token", "diagonal"];
/** A pattern is named when it holds this much of the weight that does not rest on the first token … */
const FOUND_PART = 0.5;
/** … and this much of all of it, so that a head that rests nearly always is not named by its crumbs. */
const FOUND_SHARE = 0.12;
/** The next pattern must hold this much less. */
const MARGIN = 0.15;
const REST_SHARE = 0.6;
/** Between two texts: the weight lies on so few tokens (e to the entropy) that each row points somewhere. */
const FOCUSED_TOKENS = 2;

export function labelOf(site: Site, head: number): HeadLabel {
  const resting = site.kind === "self" ? (measureOf(site, head, "first_token") ?? 0) : 0;
  const awake = Math.max(1e-6, 1 - resting);
  const found = PATTERNS.filter((name) => site.kind === "self" || !SELF_ONLY.includes(name))
    .map((name) => ({ name, value: measureOf(site, head, name) ?? 0 }))
    .sort((a, b) => b.value - a.value);
  const [best, second] = found;
  if (
    best &&
    best.value >= FOUND_SHARE &&
    best.value / awake >= FOUND_PART &&
    (best.value - (second?.value ?? 0)) / awake >= MARGIN
  ) {
    return named(best.name, best.value);
  }
  if (resting >= REST_SHARE) return named("first_token", resting);
  const spread = Math.exp(measureOf(site, head, "entropy") ?? Infinity);
  if (site.kind === "cross" && spread <= FOCUSED_TOKENS) {
    const sentence = `Each token looks at about ${spread.toFixed(1)} tokens of the other text.`;
    return { measure: "entropy", title: "focused", value: null, sentence };
  }
  return {
    measure: null,
    title: "unclear",
    value: null,
    sentence: "No single pattern holds most of its weight on this text.",
  };
}

function named(measure: string, value: number): HeadLabel {
  const title = MEASURES.find((known) => known.name === measure)?.title ?? measure;
  return { measure, title, value, sentence: SENTENCES[measure] ?? "" };
}
