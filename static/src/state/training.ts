/**
 * A training as the page knows it: the events of its stream, folded one by one. Pure, as `run.ts` is.
 *
 * A worker that goes on where another was cut off says from which step: what was told of later ones is void.
 */
import { append, type Curve, cutAfter, EMPTY_CURVE, lastStep } from "./training_curve";
import type { Evaluated, RunEvent, Sample, Snapshot, Started, Steered, Tokens, Training } from "../wire/messages";

export type { Evaluated, Sample, Snapshot, Steered } from "../wire/messages";

export type TrainingPhase = "queued" | "running" | "finished" | "failed" | "cancelled";

interface Save {
  step: number;
  rate_factor: number;
}

export interface TrainingState {
  readonly phase: TrainingPhase;
  readonly is_paused: boolean;
  readonly started: Started | null;
  readonly plan: Training["plan"] | null;
  /** 0 where it is not known yet. */
  readonly steps: number;
  readonly parameters: number;
  readonly curve: Curve;
  readonly evaluations: readonly Evaluated[];
  readonly snapshots: readonly Snapshot[];
  /** The last ones. */
  readonly samples: readonly Sample[];
  /** What the finished model could do. */
  readonly results: Readonly<Record<string, number>> | null;
  readonly saves: readonly Save[];
  readonly steered: readonly Steered[];
  readonly rate_factor: number;
  readonly tokens_per_s: number | null;
  readonly memory_bytes: number | null;
  readonly seconds_left: number | null;
  /** The tokens of the probe text. */
  readonly sequences: Readonly<Partial<Record<Tokens["sequence"], Tokens>>>;
  readonly is_trained: boolean;
  readonly train_s: number | null;
  readonly failure: string | null;
}

/** A slider on a screen has no more places that can be told apart. */
export const MOST_SNAPSHOTS = 400;
/** More than anybody reads back. */
const KEPT_SAMPLES = 50;

export const EMPTY_TRAINING: TrainingState = {
  phase: "queued",
  is_paused: false,
  started: null,
  plan: null,
  steps: 0,
  parameters: 0,
  curve: EMPTY_CURVE,
  evaluations: [],
  snapshots: [],
  samples: [],
  results: null,
  saves: [],
  steered: [],
  rate_factor: 1,
  tokens_per_s: null,
  memory_bytes: null,
  seconds_left: null,
  sequences: {},
  is_trained: false,
  train_s: null,
  failure: null,
};

export function foldTraining(state: TrainingState, event: RunEvent): TrainingState {
  switch (event.type) {
    case "started":
      return { ...state, phase: "running", is_paused: false, started: event, seconds_left: null };
    case "training":
      return goneOnFrom(state, event);
    case "tokens":
      return { ...state, sequences: { ...state.sequences, [event.sequence]: event } };
    case "progress": {
      const { tokens_per_s, memory_bytes, seconds_left } = event;
      return { ...state, curve: append(state.curve, event), tokens_per_s, memory_bytes, seconds_left };
    }
    case "evaluated":
      return { ...state, evaluations: [...before(state.evaluations, event.step), event] };
    case "snapshot":
      return { ...state, snapshots: thinned([...before(state.snapshots, event.step), event]) };
    case "sample":
      return { ...state, samples: [...state.samples.filter(({ step }) => step < event.step), event].slice(-KEPT_SAMPLES) };
    case "saved":
      return { ...state, saves: [...state.saves, { step: event.step, rate_factor: state.rate_factor }] };
    case "steered": {
      const is_paused = event.action === "pause" || (state.is_paused && event.action !== "go_on");
      return { ...state, is_paused, rate_factor: event.rate_factor, steered: [...state.steered, event] };
    }
    case "trained":
      return { ...state, is_trained: true, results: event.metrics };
    case "finished":
      return { ...state, phase: "finished", is_paused: false, train_s: event.timings.train_s ?? null };
    case "failed":
      return { ...state, phase: "failed", is_paused: false, failure: event.message };
    case "cancelled":
      return { ...state, phase: "cancelled", is_paused: false };
    default:
      return state;
  }
}

export function isUnderWay({ phase }: Pick<TrainingState, "phase">): boolean {
  return phase === "queued" || phase === "running";
}

/** The last step that is known to be done. */
export function stepReached({ curve, snapshots, evaluations }: TrainingState): number {
  return Math.max(lastStep(curve), snapshots.at(-1)?.step ?? 0, evaluations.at(-1)?.step ?? 0);
}

/** What heads do at a step: the last snapshot that is not later; of the first steps the first one. */
export function snapshotAt(snapshots: readonly Snapshot[], step: number): Snapshot | null {
  return snapshots[snapshotIndex(snapshots, step)] ?? null;
}

export function snapshotIndex(snapshots: readonly Snapshot[], step: number): number {
  let [low, high] = [0, snapshots.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((snapshots[middle] as Snapshot).step <= step) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

function goneOnFrom(state: TrainingState, { plan, step, steps, parameters }: Training): TrainingState {
  const saves = state.saves.filter((save) => save.step <= step);
  // The learning rate's factor is part of what was saved.
  const saved = saves.findLast((save) => save.step === step);
  return {
    ...state,
    plan,
    steps,
    parameters,
    is_paused: false,
    curve: cutAfter(state.curve, step),
    evaluations: upTo(state.evaluations, step),
    snapshots: upTo(state.snapshots, step),
    steered: upTo(state.steered, step),
    samples: upTo(state.samples, step),
    saves,
    rate_factor: saved?.rate_factor ?? 1,
    tokens_per_s: null,
    seconds_left: null,
  };
}

/** Of very many every second one goes, the first and the last never: memory stays flat. A reload brings them again. */
function thinned(snapshots: readonly Snapshot[]): readonly Snapshot[] {
  if (snapshots.length <= MOST_SNAPSHOTS) return snapshots;
  return snapshots.filter((_, place) => place % 2 === 0 || place === snapshots.length - 1);
}

function upTo<T extends { readonly step: number }>(told: readonly T[], step: number): readonly T[] {
  return told.filter((one) => one.step <= step);
}

/** A worker that begins again with step 0 tells of it again. */
function before<T extends { readonly step: number }>(told: readonly T[], step: number): readonly T[] {
  return (told.at(-1)?.step ?? -1) < step ? told : told.filter((one) => one.step < step);
}
