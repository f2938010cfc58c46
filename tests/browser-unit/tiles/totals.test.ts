import { expect, test, vi } from "vitest";
import { Rectangles } from "../../../static/src/tiles/rectangles";
import { marginsOf, Totals } from "../../../static/src/tiles/totals";
import { ApiError } from "../../../static/src/wire/http";
import { siteEvent } from "../made";

const map = { run: "r1", site: "decoder.self.0", head: 0 };
const rectangles = new Rectangles(() => new Promise(() => {}));
/** 8,192 rows and keys: four requests. */
const long = siteEvent({ side: 64, cell: 128 });

function answer(rows: readonly [number, number]) {
  return { received: Array(8_192).fill(1), entropy: Array(rows[1] - rows[0]).fill(rows[0]) };
}

test("a tile that is the whole map is summed up along both sides", () => {
  const values = Float32Array.from([1, 0, 0.5, 0.5]);
  const { received, entropy } = marginsOf({ rows: [0, 2], cols: [0, 2], cell: 1, height: 2, width: 2, values });
  expect([...(received ?? [])]).toEqual([1.5, 0.5]);
  expect(entropy[0]).toBe(0);
  expect(entropy[1]).toBeCloseTo(Math.log(2));
});

test("a long map is summed up part by part, and what keys receive is told when all rows are in it", async () => {
  vi.useFakeTimers();
  let next: () => void = () => {};
  const read = vi.fn((_map, rows: readonly [number, number]) => {
    return new Promise<ReturnType<typeof answer>>((resolve) => (next = () => resolve(answer(rows))));
  });
  const totals = new Totals(read);
  totals.want(long, map);
  await vi.advanceTimersByTimeAsync(400);
  next();
  await vi.advanceTimersByTimeAsync(0);
  expect(totals.of(long, map, rectangles)).toMatchObject({ received: null, rows: 2_048 });
  for (let part = 0; part < 3; part++) {
    next();
    await vi.advanceTimersByTimeAsync(0);
  }
  vi.useRealTimers();
  expect(read).toHaveBeenCalledTimes(4);
  const margins = totals.of(long, map, rectangles);
  expect(margins?.received?.[7]).toBe(4);
  expect([margins?.entropy[0], margins?.entropy[8_191]]).toEqual([0, 6_144]);
});

test("a head that was passed by is not summed up, and one that is left is dropped", async () => {
  vi.useFakeTimers();
  const signals: (AbortSignal | undefined)[] = [];
  const read = vi.fn((_map, _rows, signal?: AbortSignal) => {
    signals.push(signal);
    return new Promise<never>(() => {});
  });
  const totals = new Totals(read);
  totals.want(long, map);
  totals.want(long, { ...map, head: 1 });
  await vi.advanceTimersByTimeAsync(400);
  expect(read.mock.calls.map(([{ head }]) => head)).toEqual([1]);
  totals.want(null, null);
  vi.useRealTimers();
  expect(signals[0]?.aborted).toBe(true);
});

test("a worker that was away is asked to go on where it stopped", async () => {
  vi.useFakeTimers();
  const read = vi
    .fn()
    .mockImplementationOnce(async (_map, rows) => answer(rows))
    .mockRejectedValueOnce(new ApiError("No worker answered.", "workers_away", 503))
    .mockImplementation(async (_map, rows) => answer(rows));
  const totals = new Totals(read);
  totals.want(long, map);
  await vi.advanceTimersByTimeAsync(5_000);
  vi.useRealTimers();
  expect(read.mock.calls.map(([, rows]) => rows[0])).toEqual([0, 2_048, 2_048, 4_096, 6_144]);
  expect(totals.of(long, map, rectangles)?.received?.[0]).toBe(4);
});
