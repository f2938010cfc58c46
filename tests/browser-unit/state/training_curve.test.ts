import { expect, test } from "vitest";
import { append, columnOf, cutAfter, EMPTY_CURVE, lastStep, stepsOf } from "../../../static/src/state/training_curve";
import { progressEvent } from "../made_training";

test("no curve changes when another goes on from it", () => {
  const short = append(EMPTY_CURVE, progressEvent(1, 10));
  const one = append(short, progressEvent(11, 20));
  const other = append(short, progressEvent(11, 20, () => 0));
  expect(columnOf(one, "loss")[15]).toBe(16);
  expect(columnOf(other, "loss")[15]).toBe(0);
  expect(short.length).toBe(10);
});

test("it grows past its first room with nothing lost", () => {
  let curve = EMPTY_CURVE;
  for (let step = 1; step <= 5000; step += 100) curve = append(curve, progressEvent(step, step + 99));
  expect(lastStep(curve)).toBe(5000);
  expect(stepsOf(curve).every((step, place) => step === place + 1)).toBe(true);
});

test("what is cut off is gone, and a step beyond the end cuts nothing", () => {
  const curve = append(EMPTY_CURVE, progressEvent(1, 10));
  expect([...stepsOf(cutAfter(curve, 3))]).toEqual([1, 2, 3]);
  expect(cutAfter(curve, 50)).toBe(curve);
  expect(cutAfter(curve, 0).length).toBe(0);
});
