/** Small events of trainings for tests. */
import type { Evaluated, Progress, Saved, Snapshot, Steered, Training } from "../../static/src/wire/messages";

export function trainingEvent(step = 0, steps = 100): Training {
  return { type: "training", seq: 1, plan: { assignment: "copy" }, step, steps, parameters: 1000 };
}

/** Steps from `from` to `to`, whose loss is the step's number by default. */
export function progressEvent(from: number, to: number, loss: (step: number) => number = (step) => step): Progress {
  const steps = Array.from({ length: to - from + 1 }, (_, place) => from + place);
  const column = (values: number[]) => ({ values: Float32Array.from(values), shape: [steps.length] });
  return {
    type: "progress",
    seq: 2,
    tokens_per_s: 1000,
    memory_bytes: 2 ** 20,
    seconds_left: 10,
    arrays: {
      steps: { values: Int32Array.from(steps), shape: [steps.length] },
      loss: column(steps.map(loss)),
      learning_rate: column(steps.map(() => 0.001)),
      gradient_norm: column(steps.map(() => 1)),
    },
  };
}

export function evaluatedEvent(step: number, loss = 1): Evaluated {
  return { type: "evaluated", seq: 3, step, metrics: { loss } };
}

export function savedEvent(step: number): Saved {
  return { type: "saved", seq: 4, step };
}

export function steeredEvent(action: Steered["action"], step: number, rate_factor = 1): Steered {
  return { type: "steered", seq: 5, action, step, rate_factor };
}

/** Two sites of unlike sizes; `labels` and `induction` of all heads, the first site's first. */
export function snapshotEvent(
  step: number,
  { labels = ["broad", "broad", "broad"], induction = [0, 0, 0] }: { labels?: string[]; induction?: number[] } = {},
): Snapshot {
  return {
    type: "snapshot",
    seq: 10 + step,
    step,
    sites: ["decoder.self.0", "decoder.self.1"],
    heads: [2, 1],
    queries: [2, 3],
    keys: [2, 3],
    cell: [1, 1],
    causal: [true, true],
    measures: [["induction", "entropy"], ["induction"]],
    labels: [labels.slice(0, 2), labels.slice(2)],
    arrays: {
      overview: { values: Uint8Array.from({ length: 17 }, (_, place) => place), shape: [17] },
      scale: { values: Float32Array.of(0.1, 0.2, 0.3), shape: [3] },
      measures: { values: Float32Array.of(induction[0] ?? 0, induction[1] ?? 0, 1, 2, induction[2] ?? 0), shape: [5] },
    },
  };
}
