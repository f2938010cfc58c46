import { expect, test, vi } from "vitest";
import { type PairReading, Pairs } from "../../../static/src/tiles/pairs";
import { ApiError } from "../../../static/src/wire/http";

const place = (col: number) => ({ run: "r1", site: "decoder.self.0", head: 3, row: 5, col });
const reading = { products: [1, 2], weight: 0.5 } as PairReading;
const settle = () => new Promise((resolve) => setTimeout(resolve));

test("a pair is read once, however often it is wanted", async () => {
  const read = vi.fn(async () => reading);
  const pairs = new Pairs(read);
  pairs.want(place(1));
  expect(pairs.reading).toBeUndefined();
  await settle();
  expect(pairs.reading).toBe(reading);
  pairs.want(place(2));
  await settle();
  pairs.want(place(1));
  expect(pairs.reading).toBe(reading);
  expect(read).toHaveBeenCalledTimes(2);
});

test("a pair that is no longer wanted is dropped, and its answer is not taken for another's", () => {
  const signals: AbortSignal[] = [];
  const pairs = new Pairs((_place, signal) => {
    if (signal) signals.push(signal);
    return new Promise(() => {});
  });
  pairs.want(place(1));
  pairs.want(place(2));
  pairs.want(null);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  expect(pairs.reading).toBeUndefined();
});

test("a refusal is kept with its words until another pair is wanted or it is tried again", async () => {
  const read = vi.fn().mockRejectedValueOnce(new ApiError("The run is gone.", "gone", 409)).mockResolvedValue(reading);
  const pairs = new Pairs(read);
  pairs.want(place(1));
  await settle();
  expect(pairs.failure?.message).toBe("The run is gone.");
  pairs.want(place(1));
  expect(read).toHaveBeenCalledTimes(1);
  pairs.retry();
  await settle();
  expect([pairs.failure, pairs.reading]).toEqual([null, reading]);
});

test("workers that are away are asked again by themselves", async () => {
  vi.useFakeTimers();
  const read = vi
    .fn()
    .mockRejectedValueOnce(new ApiError("No worker answered.", "workers_away", 503))
    .mockResolvedValue(reading);
  const pairs = new Pairs(read);
  pairs.want(place(1));
  await vi.runAllTimersAsync();
  vi.useRealTimers();
  expect(pairs.reading).toBe(reading);
});
