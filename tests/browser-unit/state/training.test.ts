import { expect, test } from "vitest";
import { EMPTY_TRAINING, foldTraining, MOST_SNAPSHOTS, snapshotAt, stepReached, type TrainingState } from "../../../static/src/state/training";
import { columnOf, stepsOf } from "../../../static/src/state/training_curve";
import type { RunEvent } from "../../../static/src/wire/messages";
import { startedEvent, tokensEvent } from "../made";
import { evaluatedEvent, progressEvent, savedEvent, snapshotEvent, steeredEvent, trainingEvent } from "../made_training";

const told = (...events: RunEvent[]): TrainingState => events.reduce(foldTraining, EMPTY_TRAINING);
const BEGUN: RunEvent[] = [startedEvent(), trainingEvent(), tokensEvent(["a"]), evaluatedEvent(0), snapshotEvent(0)];

test("a curve grows by what each frame adds", () => {
  const state = told(...BEGUN, progressEvent(1, 3), progressEvent(4, 5));
  expect([...stepsOf(state.curve)]).toEqual([1, 2, 3, 4, 5]);
  expect([...columnOf(state.curve, "loss")]).toEqual([1, 2, 3, 4, 5]);
  expect(stepReached(state)).toBe(5);
  expect(state.tokens_per_s).toBe(1000);
});

test("a worker that goes on from a step voids what another told of later ones", () => {
  const first = told(
    ...BEGUN,
    progressEvent(1, 40),
    savedEvent(30),
    evaluatedEvent(20),
    snapshotEvent(20),
    evaluatedEvent(40, 9),
    snapshotEvent(40),
    steeredEvent("learning_rate", 35, 0.5),
  );
  const state = [startedEvent(2), trainingEvent(30)].reduce<TrainingState>(foldTraining, first);
  expect(stepReached(state)).toBe(30);
  expect(state.snapshots.map(({ step }) => step)).toEqual([0, 20]);
  expect(state.evaluations.map(({ step }) => step)).toEqual([0, 20]);
  expect(state.steered).toEqual([]);
  const after = [progressEvent(31, 32, (step) => -step)].reduce<TrainingState>(foldTraining, state);
  expect([...columnOf(after.curve, "loss")].slice(29)).toEqual([30, -31, -32]);
  // What was folded before keeps what it knew.
  expect(columnOf(first.curve, "loss")[30]).toBe(31);
});

test("a worker that begins again from nothing tells of step 0 once more, not twice", () => {
  const state = told(...BEGUN, progressEvent(1, 10), startedEvent(2), trainingEvent(0), evaluatedEvent(0, 7), snapshotEvent(0));
  expect(state.curve.length).toBe(0);
  expect(state.snapshots).toHaveLength(1);
  expect(state.evaluations.map(({ metrics }) => metrics.loss)).toEqual([7]);
});

test("the learning rate's factor is the one that was saved, where a worker goes on", () => {
  const slow = steeredEvent("learning_rate", 5, 0.5);
  const saved = [...BEGUN, slow, progressEvent(1, 10), savedEvent(10)];
  expect(told(...saved, trainingEvent(10)).rate_factor).toBe(0.5);
  expect(told(...BEGUN, savedEvent(4), slow, trainingEvent(4)).rate_factor).toBe(1);
});

test("it stays paused while a checkpoint is saved, and goes on when it is told to or another worker takes it", () => {
  const paused = [...BEGUN, steeredEvent("pause", 5)];
  expect(told(...paused).is_paused).toBe(true);
  expect(told(...paused, steeredEvent("checkpoint", 5)).is_paused).toBe(true);
  expect(told(...paused, steeredEvent("go_on", 5)).is_paused).toBe(false);
  expect(told(...paused, startedEvent(2), trainingEvent(5)).is_paused).toBe(false);
});

test("it ends finished, failed with its sentence, or cancelled", () => {
  const finished: RunEvent = { type: "finished", seq: 9, implementation: "cpu", timings: { train_s: 3 } };
  expect(told(...BEGUN, finished)).toMatchObject({ phase: "finished", train_s: 3 });
  expect(told(...BEGUN, { type: "failed", seq: 9, code: "diverged", message: "No number." })).toMatchObject({
    phase: "failed",
    failure: "No number.",
  });
  expect(told(...BEGUN, { type: "cancelled", seq: 9 }).phase).toBe("cancelled");
});

test("at a step stands the last snapshot that is not later", () => {
  const snapshots = [snapshotEvent(0), snapshotEvent(20), snapshotEvent(40)];
  expect([0, 19, 20, 39, 1000].map((step) => snapshotAt(snapshots, step)?.step)).toEqual([0, 0, 20, 20, 40]);
  expect(snapshotAt([], 5)).toBeNull();
});

test("of very many snapshots some go, the first and the newest never, and their number stays flat", () => {
  let state = told(startedEvent(), trainingEvent());
  for (let step = 0; step <= 10_000; step++) {
    state = foldTraining(state, snapshotEvent(step));
    expect(state.snapshots.length).toBeLessThanOrEqual(MOST_SNAPSHOTS);
  }
  const steps = state.snapshots.map(({ step }) => step);
  expect([steps[0], steps.at(-1)]).toEqual([0, 10_000]);
  expect(steps.length).toBeGreaterThan(MOST_SNAPSHOTS / 3);
  expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
});

test("a sample is kept by its step, and voided with what came after a checkpoint", () => {
  const sample = (step: number): RunEvent => ({ type: "sample", seq: 0, step, source: "ab>", text: "ba", wanted: "ba" });
  const first = told(...BEGUN, sample(0), sample(20), savedEvent(30), sample(40));
  expect(first.samples.map(({ step }) => step)).toEqual([0, 20, 40]);
  const gone = [startedEvent(2), trainingEvent(30)].reduce<TrainingState>(foldTraining, first);
  expect(gone.samples.map(({ step }) => step)).toEqual([0, 20]);
});
