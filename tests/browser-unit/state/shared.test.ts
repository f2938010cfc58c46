import { expect, test, vi } from "vitest";
import { readPairOfShare } from "../../../static/src/state/shared";
import type { PairReading } from "../../../static/src/wire/http";

const pair = { site: "decoder.self.2", head: 1, row: 5, col: 3 };
const ofAnother = { ...pair, head: 3 };
const place = { run: "share:slug", ...pair };
const reading = { weight: 0.5 } as PairReading;

test("a pair that a share keeps is read from it", async () => {
  const read = vi.fn(async () => reading);
  const signal = new AbortController().signal;
  expect(await readPairOfShare({ pairs: [ofAnother, pair] }, "Not kept.", read)(place, signal)).toBe(reading);
  expect(read).toHaveBeenCalledWith(place, signal);
});

test.each([{ site: "decoder.self.1" }, { head: 0 }, { row: 4 }, { col: 5 }])("another pair, %o, is refused unasked", async (other) => {
  const read = vi.fn(async () => reading);
  await expect(readPairOfShare({ pairs: [ofAnother, pair] }, "Not kept.", read)({ ...place, ...other })).rejects.toThrow("Not kept.");
  expect(read).not.toHaveBeenCalled();
});

test("a share without a pair refuses every one", async () => {
  const read = vi.fn(async () => reading);
  await expect(readPairOfShare({ pairs: [] }, "Not kept.", read)(place)).rejects.toMatchObject({ code: "not_in_share" });
  expect(read).not.toHaveBeenCalled();
});
