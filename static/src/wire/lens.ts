/** The lens: what each layer already says of a run, and the tuned lens of a model. */
import { addressOfRun, json } from "./http";

/** Some positions of a run, half-open, through the model's own head or its tuned lens. */
export interface LensPlace {
  run: string;
  positions: readonly [number, number];
  tuned: boolean;
}

export interface LensReading {
  sequence: "encoder" | "decoder";
  positions: [number, number];
  guesses: "next" | "own" | "class";
  tuned: boolean;
  /** Each token's text by its id. */
  texts: Record<string, string>;
  /** The true token of each position; null where there is none. */
  truth: (number | null)[];
  /** From what enters the first layer to what the model says. */
  layers: LensLayer[];
}

export interface LensLayer {
  /** How many layers the stream has been through. */
  depth: number;
  ids: number[][];
  probabilities: number[][];
  truth_probabilities: (number | null)[];
  /** 0 for the likeliest. */
  truth_ranks: (number | null)[];
}

/** The last training of a model's tuned lens, and the lens that there is. */
export interface LensState {
  state: "none" | "waiting" | "reading" | "training" | "finished" | "failed" | "cancelled";
  done: number;
  total: number;
  error: { code: string; message: string } | null;
  tuned: TunedLens | null;
  /** How many tokens a text must have. */
  least_tokens: number;
}

/** KL(model || lens) at each depth in nats, on text that taught nothing: of the logit lens, and of the tuned one. */
export interface TunedLens {
  trained_at: number;
  tokens: number;
  steps: number;
  before: number[];
  after: number[];
}

export function readLens({ run, positions, tuned }: LensPlace, signal?: AbortSignal): Promise<LensReading> {
  const query = new URLSearchParams({ positions: positions.join(":"), ...(tuned ? { tuned: "true" } : {}) });
  return json<LensReading>(`${addressOfRun(run)}/lens?${query}`, { signal: signal ?? null });
}

const lensOf = (model: string) => `/api/v1/models/${encodeURIComponent(model)}/lens`;

export function readLensState(model: string): Promise<LensState> {
  return json(lensOf(model));
}

/** On a text, or on what a run of this model read. */
export function trainLens(model: string, lesson: { text: string } | { run: string }): Promise<LensState> {
  const headers = { "Content-Type": "application/json" };
  return json(lensOf(model), { method: "POST", headers, body: JSON.stringify(lesson) });
}

export function stopLensTraining(model: string): Promise<LensState> {
  return json(`${lensOf(model)}/cancel`, { method: "POST" });
}
