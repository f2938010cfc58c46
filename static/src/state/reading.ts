/**
 * Which reading of the maps is shown: the weights themselves, or what can be made of them. Each with its formula and
 * whose it is, as measures have them.
 */
import { say } from "../language/say";
import { nextAt, placeOfRest } from "./next";
import { namesOf, type Run, sequencesOf } from "./run";
import { type HeadRef, parseSite } from "./sites";
import { tokenName } from "./text";
import type { View } from "./view";

export type ReadingName = "attention" | "value" | "gradient" | "rollout" | "flow";

export interface ReadingText {
  name: ReadingName;
  title: string;
  sentence: string;
  formula: string;
  source: string;
  /** What one number is called. */
  number: string;
  /** Numbers from 0 to 1, of which a row has at most 1 in sum; else they have no bound. */
  isShare: boolean;
  /** Numbers below 0 speak against. */
  isSigned: boolean;
  /** Every head of a layer has the same. */
  isOfLayer: boolean;
}

export const READINGS: readonly [ReadingText, ...ReadingText[]] = [
  {
    name: "attention",
    title: say("attention"),
    sentence: say("How each token shares out its look: every row sums to 1."),
    formula: "A = softmax(q·kᵀ / √D)",
    source: "Vaswani et al. 2017, 3.2.1",
    number: say("weight"),
    isShare: true,
    isSigned: false,
    isOfLayer: false,
  },
  {
    name: "value",
    title: say("value-weighted"),
    sentence: say("How much is moved: each weight times the length of what it carries. Where heads rest, that is often little."),
    formula: "‖A_ij v_j W_O‖ = A_ij ‖v_j W_O‖",
    source: "Kobayashi et al. 2020, 3",
    number: say("norm of what is moved"),
    isShare: false,
    isSigned: false,
    isOfLayer: false,
  },
  {
    name: "gradient",
    title: say("gradient × attention"),
    sentence: say("What each weight does for one output: about how much its score would lose without it."),
    formula: "A_ij · ∂logit/∂A_ij",
    source: say("after Chefer et al. 2021, equation 5, with its sign"),
    number: say("gradient × attention"),
    isShare: false,
    isSigned: true,
    isOfLayer: false,
  },
  {
    name: "rollout",
    title: say("rollout"),
    sentence: say("What a token has become a mixture of: attention multiplied through the layers up to this one, with the residual stream."),
    formula: "R_l = N(½ mean_h A_l + ½ I) · R_l−1",
    source: "Abnar and Zuidema 2020, 3",
    number: say("share of the mixture"),
    isShare: true,
    isSigned: false,
    isOfLayer: true,
  },
  {
    name: "flow",
    title: say("flow"),
    sentence: say("How much can flow from one token down to each other one through the layers, with weights as the widths of pipes."),
    formula: "max flow, capacities ½ mean_h A_l + ½ I",
    source: "Abnar and Zuidema 2020, 3",
    number: say("largest flow"),
    isShare: true,
    isSigned: false,
    isOfLayer: true,
  },
];

type Chosen = Pick<View, "reading" | "token">;

export function readingOf({ reading }: Pick<View, "reading">): ReadingText {
  const [name] = reading.split(".");
  return READINGS.find((known) => known.name === name) ?? READINGS[0];
}

/** As the address has it: a name, for a gradient with the id of an output that is not the likeliest; else the default. */
export function parseReading(text: string | null): string {
  const parts = /^([a-z]+)(\.\d{1,7})?$/.exec(text ?? "");
  const isKnown = READINGS.some(({ name }) => name === parts?.[1]);
  return parts && isKnown && (!parts[2] || parts[1] === "gradient") ? parts[0] : READINGS[0].name;
}

/** The share of each row that is drawn: of other readings than attention everything. */
export function massOf(view: Pick<View, "reading" | "mass">): number {
  return readingOf(view).name === "attention" ? view.mass : 1;
}

/** An output whose score is followed back; position is null where a class of the whole is scored. */
export interface Output {
  position: number | null;
  token: number;
  /** What the output is called, and after or in place of which token it stands. */
  name: string;
  at: string | null;
  /** Others that can be chosen, the likeliest first. */
  choices: { id: number; name: string; probability: number }[];
}

const MOST_CHOICES = 10;

/** What gradient × attention is for; null where the page does not know what the model scores. */
export function outputOf(run: Run, view: Chosen): Output | null {
  const chosen = view.reading.split(".")[1];
  const choices = choicesOf(run, view);
  if (!choices) return null;
  const token = chosen === undefined ? choices.likely[0]?.id : Number(chosen);
  if (token === undefined) return null;
  const known = choices.likely.find(({ id }) => id === token);
  return {
    position: choices.position,
    token,
    name: known?.name ?? say("token {id}", { id: token }),
    at: choices.at,
    choices: choices.likely.slice(0, MOST_CHOICES),
  };
}

function choicesOf(run: Run, view: Chosen) {
  const { next, classes } = run;
  if (classes) {
    const { ids, probabilities } = classes.arrays;
    const likely = classes.texts.map((name, rank) => {
      return { id: ids.values[rank] ?? 0, name, probability: probabilities.values[rank] ?? 0 };
    });
    return { position: null, at: null, likely };
  }
  if (!next) return null;
  const tokens = run.sequences[next.sequence];
  const last = (next.arrays.ids.shape[0] ?? 1) - 1;
  const kept = view.token?.sequence === next.sequence && view.token.index <= last ? view.token.index : null;
  const position = kept ?? placeOfRest(next, tokens);
  const likely = nextAt(next, tokens, position).candidates.map(({ id, text, probability }) => {
    return { id, name: tokenName(text), probability };
  });
  return { position, at: namesOf(run, next.sequence)[position] ?? "", likely };
}

/** The token whose flow is shown: the kept one where it is a row of the map, else the last. */
export function flowRow(run: Run, view: Chosen, site: string): number {
  const parsed = parseSite(site);
  const rows = parsed && sequencesOf(parsed).rows;
  const queries = run.sites.get(site)?.queries ?? 1;
  const isRow = view.token?.sequence === rows && view.token !== null && view.token.index < queries;
  // A picture is read by its first token.
  return isRow && view.token ? view.token.index : run.seen ? 0 : queries - 1;
}

/** As tiles/readings.ts has it. */
export interface ShownMap extends HeadRef {
  run: string;
  reading?: string;
  only?: number;
}

/** The map of a head as it is shown: which run, and which reading is asked for. */
export function shownMap(run: Run, view: Chosen, { site, head }: HeadRef): ShownMap {
  const map = { run: run.id ?? "", site, head };
  const { name } = readingOf(view);
  if (name === "attention") return map;
  if (name === "flow") return { ...map, reading: "reading=flow", only: flowRow(run, view, site) };
  if (name !== "gradient") return { ...map, reading: `reading=${name}` };
  const output = outputOf(run, view);
  const position = output?.position ?? null;
  const query = new URLSearchParams({ reading: name });
  if (output) {
    if (position !== null) query.set("position", String(position));
    query.set("token", String(output.token));
  }
  return { ...map, reading: query.toString() };
}
