/**
 * A run as the page knows it: the events of its stream, folded one by one.
 *
 * `fold` is pure: the arrays of an event are kept as they came, and every change gives a new Run, so that
 * a view can tell by identity whether its part changed.
 */
import { tokenNames } from "./text";
import { foldWriting, type Writing } from "./writing";
import type { Classes, Finished, Picture, Probabilities, RunEvent, Site, Started, Tokens } from "../wire/messages";

export type { Classes, Picture, Probabilities, Site, Step, Tokens } from "../wire/messages";

export type Phase = "empty" | "queued" | "running" | "finished" | "failed" | "cancelled";
export type SequenceName = Tokens["sequence"];

export interface Failure {
  code: string;
  message: string;
}

export interface Run {
  readonly id: string | null;
  /** What is asked for: to read a text, or to write on from it. */
  readonly kind: "trace" | "generate";
  readonly phase: Phase;
  readonly model: string | null;
  readonly text: string | null;
  readonly target: string | null;
  /** A second text, which an encoder reads beside the first. */
  readonly text_pair: string | null;
  /** The id of the picture that is read instead of a text. */
  readonly picture: string | null;
  /** That picture as the model reads it. */
  readonly seen: Picture | null;
  readonly classes: Classes | null;
  readonly started: Started | null;
  readonly sequences: Readonly<Partial<Record<SequenceName, Tokens>>>;
  /** By name, in the order in which they were traced. */
  readonly sites: ReadonlyMap<string, Site>;
  readonly next: Probabilities | null;
  /** Of a run that writes, from its first token on. */
  readonly writing: Writing | null;
  readonly finished: Finished | null;
  readonly failure: Failure | null;
}

export interface RunRequest {
  id: string | null;
  kind: Run["kind"];
  model: string | null;
  text: string | null;
  target: string | null;
  text_pair: string | null;
  picture?: string | null;
}

export const EMPTY_RUN: Run = {
  id: null,
  kind: "trace",
  phase: "empty",
  model: null,
  text: null,
  target: null,
  text_pair: null,
  picture: null,
  seen: null,
  classes: null,
  started: null,
  sequences: {},
  sites: new Map(),
  next: null,
  writing: null,
  finished: null,
  failure: null,
};

export function queuedRun(request: RunRequest): Run {
  return { ...EMPTY_RUN, ...request, phase: "queued" };
}

export function fold(run: Run, event: RunEvent): Run {
  switch (event.type) {
    case "started": {
      // A worker may have died on the way: what an earlier attempt said is void.
      const { id, kind, text, target, text_pair, picture } = run;
      const asked = { id, kind, text, target, text_pair, picture, model: event.model };
      return { ...EMPTY_RUN, ...asked, phase: "running", started: event };
    }
    case "tokens":
      return { ...run, sequences: { ...run.sequences, [event.sequence]: event } };
    case "site":
      return { ...run, sites: new Map(run.sites).set(event.site, event) };
    case "probabilities":
      return { ...run, next: event };
    case "picture":
      return { ...run, seen: event };
    case "classes":
      return { ...run, classes: event };
    case "step":
    case "prompt_rows":
    case "beams":
      return { ...run, writing: foldWriting(run.writing, run.sequences.decoder, event) };
    case "finished":
      return { ...run, phase: "finished", finished: event };
    case "failed":
      return { ...run, phase: "failed", failure: { code: event.code, message: event.message } };
    case "cancelled":
      return { ...run, phase: "cancelled" };
    case "tile":
    case "pair":
    case "totals":
    case "floors":
    case "influence":
    case "comparison":
    case "difference":
    case "training":
    case "progress":
    case "evaluated":
    case "snapshot":
    case "sample":
    case "saved":
    case "steered":
    case "trained":
    case "lens":
      return run;
  }
}

/** Whether a worker has yet to begin with it, or to end. */
export function isUnderWay({ phase }: Run): boolean {
  return phase === "queued" || phase === "running";
}

/** Whether a worker can be asked for its maps: of a run that writes, once its finished text has been read. */
export function hasMapsToAskFor(run: Run): boolean {
  return run.kind === "generate" ? run.finished !== null : !isUnderWay(run);
}

/** Which sequence asks (the rows of a map) and which is looked at (its columns). */
export function sequencesOf(site: Pick<Site, "stack" | "kind">): { rows: SequenceName; columns: SequenceName } {
  return { rows: site.stack, columns: site.kind === "cross" ? "encoder" : site.stack };
}

/**
 * The text of a sequence as it was typed; null where the model wrote it, or where ids were given. Of a pair both texts,
 * the second after the first without a gap, as the tokens' offsets count.
 */
export function textOf(run: Run, name: SequenceName): string | null {
  if (run.sequences[name]?.origin !== "given") return null;
  if (name === "decoder" && run.sequences.encoder) return run.target;
  return run.text === null ? null : run.text + (run.text_pair ?? "");
}

/** The first token of the second text of a pair; null where one text was read. Cost: counts the first text. */
export function borderOf(run: Run, name: SequenceName): number | null {
  const tokens = run.sequences[name];
  if (!tokens || name !== "encoder" || run.text === null || !run.text_pair) return null;
  const length = Array.from(run.text).length;
  const offsets = tokens.arrays.offsets.values;
  // What the tokenizer added stands at no place of either text.
  const first = tokens.texts.findIndex((_, token) => {
    const [start = 0, end = 0] = offsets.subarray(2 * token, 2 * token + 2);
    return start >= length && end > start;
  });
  return first < 0 ? null : first;
}

const named = new WeakMap<Tokens, { text: string | null; names: string[] }>();

/** How each token of a sequence is called on axes and in lists. Cost: cuts the text, once for each text. */
export function namesOf(run: Run, name: SequenceName): readonly string[] {
  const tokens = run.sequences[name];
  if (!tokens) return [];
  const text = textOf(run, name);
  const known = named.get(tokens);
  if (known?.text === text) return known.names;
  const names = tokenNames(text, tokens);
  named.set(tokens, { text, names });
  return names;
}

/** The measure of one head, or null where the run did not compute it. */
export function measureOf(site: Site, head: number, name: string): number | null {
  const index = site.measures.indexOf(name);
  if (index < 0) return null;
  const value = site.arrays.measures.values[index * site.heads + head];
  return value === undefined || Number.isNaN(value) ? null : value;
}
