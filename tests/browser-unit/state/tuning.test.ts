/** The training of a tuned lens as the page follows it. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type LensState, Tuning } from "../../../static/src/state/tuning";
import { ApiError } from "../../../static/src/wire/http";

const state = (name: LensState["state"], done = 0): LensState => {
  return { state: name, done, total: 300, error: null, tuned: null, least_tokens: 256 };
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function doors(...told: LensState[]) {
  const read = vi.fn(async () => told.shift() ?? state("finished"));
  return { read, train: vi.fn(async () => state("waiting")), stop: vi.fn(async () => state("cancelled")) };
}

test("a lens that is not trained is asked for once", async () => {
  const made = doors(state("none"));
  const tuning = new Tuning(made);
  tuning.follow("prose");
  tuning.follow("prose");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(tuning.state.value?.state).toBe("none");
  expect(made.read).toHaveBeenCalledTimes(1);
});

test("a training is followed to its end, and then left alone", async () => {
  const made = doors(state("none"), state("training", 20), state("training", 200), state("finished"));
  const tuning = new Tuning(made);
  const seen: (number | undefined)[] = [];
  tuning.state.subscribe((now) => seen.push(now?.done));
  tuning.follow("prose");
  await vi.advanceTimersByTimeAsync(0);
  await tuning.train({ run: "r1" });
  expect(made.train).toHaveBeenCalledWith("prose", { run: "r1" });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(seen).toEqual([0, 0, 20, 200, 0]);
  expect(made.read).toHaveBeenCalledTimes(4);
});

test("a wish that is refused says why, also when the state was asked for again", async () => {
  const made = doors(state("none"), state("none"));
  made.train.mockRejectedValueOnce(new ApiError("This text has 3 tokens.", "text_too_short", 422));
  const tuning = new Tuning(made);
  tuning.follow("prose");
  await vi.advanceTimersByTimeAsync(0);
  await tuning.train({ text: "a b c" });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(tuning.problem.value?.message).toBe("This text has 3 tokens.");
  await tuning.stop();
  expect([tuning.problem.value, tuning.state.value?.state]).toEqual([null, "cancelled"]);
});

test("what is told of another model is not taken for this one's", async () => {
  const answers: ((state: LensState) => void)[] = [];
  const read = () => new Promise<LensState>((resolve) => answers.push(resolve));
  const tuning = new Tuning({ ...doors(), read });
  tuning.follow("prose");
  tuning.follow("numbers");
  answers[0]?.(state("training"));
  await vi.advanceTimersByTimeAsync(0);
  expect(tuning.state.value).toBeNull();
  answers[1]?.(state("none"));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(tuning.state.value?.state).toBe("none");
  expect(answers).toHaveLength(2);
});
