import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pace } from "../../../static/src/state/pace";

/** Frames that each take so long. */
const framesOf = (ms: number) => ({ requestAnimationFrame: (callback: FrameRequestCallback) => Number(setTimeout(callback, ms, 0)) });

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

test("the first of what comes is shown at once, the rest together, and the last is never lost", () => {
  const shown: number[] = [];
  let layers = 0;
  const pace = new Pace(() => shown.push(layers), framesOf(16));
  for (layers = 1; layers <= 5; layers += 1) pace.soon();
  layers = 5;
  expect(shown).toEqual([1]);
  vi.advanceTimersByTime(1_000);
  expect(shown).toEqual([1, 5]);
});

test("what somebody waits for does not wait, and is not shown twice", () => {
  const show = vi.fn();
  const pace = new Pace(show, framesOf(16));
  pace.soon();
  pace.soon();
  pace.now();
  vi.advanceTimersByTime(1_000);
  expect(show).toHaveBeenCalledTimes(2);
});

test("where a frame takes long, fewer are shown", () => {
  const counts = [8, 100].map((ms) => {
    const show = vi.fn();
    const pace = new Pace(show, framesOf(ms));
    for (let layer = 0; layer < 200; layer += 1) {
      pace.soon();
      vi.advanceTimersByTime(10);
    }
    return show.mock.calls.length;
  });
  expect(counts[0]).toBeGreaterThan(20);
  expect(counts[1]).toBeLessThan(8);
});

test("what is shown may stay a while, and what somebody waits for ends that", () => {
  const show = vi.fn();
  const pace = new Pace(show, framesOf(16));
  pace.within(250);
  vi.advanceTimersByTime(249);
  expect(show).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(show).toHaveBeenCalledTimes(1);
  pace.within(250);
  pace.now();
  vi.advanceTimersByTime(1_000);
  expect(show).toHaveBeenCalledTimes(2);
});
