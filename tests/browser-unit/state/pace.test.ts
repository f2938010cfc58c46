import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pace } from "../../../static/src/state/pace";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

test("the first of what comes is shown at once, the rest together, and the last is never lost", () => {
  const shown: number[] = [];
  let layers = 0;
  const pace = new Pace(() => shown.push(layers));
  for (layers = 1; layers <= 5; layers += 1) pace.soon();
  layers = 5;
  expect(shown).toEqual([1]);
  vi.advanceTimersByTime(1_000);
  expect(shown).toEqual([1, 5]);
});

test("what somebody waits for does not wait, and is not shown twice", () => {
  const show = vi.fn();
  const pace = new Pace(show);
  pace.soon();
  pace.soon();
  pace.now();
  vi.advanceTimersByTime(1_000);
  expect(show).toHaveBeenCalledTimes(2);
});
