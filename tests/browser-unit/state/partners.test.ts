import { expect, test } from "vitest";
import { frameThrough, NOBODY, partnersOf, readPairs, withPair, writePairs } from "../../../static/src/state/partners";

test("partners are looked up from either side", () => {
  const { a, b } = partnersOf([[0, 0], [2, 1]], 3, 4);
  expect([...a]).toEqual([0, NOBODY, 1]);
  expect([...b]).toEqual([0, 2, NOBODY, NOBODY]);
});

test("the other map stands where the same tokens are in sight", () => {
  const { a, b } = partnersOf([[0, 0], [1, 3], [2, 4], [4, 5]], 5, 6);
  const frame = { row: 1.5, col: 0.25, cell_px: 20 };
  expect(frameThrough(frame, a, a)).toEqual({ row: 3.5, col: 0.25, cell_px: 20 });
  expect(frameThrough({ row: 3.5, col: 0.25, cell_px: 20 }, b, b)).toEqual(frame);
  // A token without a partner is as far from the last that has one as it is in its own run.
  expect(frameThrough({ row: 3.5, col: 0, cell_px: 20 }, a, a)?.row).toBe(5.5);
  expect(frameThrough(null, a, a)).toBeNull();
});

test("pairs made by hand are written as the API takes them", () => {
  const pairs = readPairs("decoder.3.4,encoder.0.1");
  expect(pairs).toEqual([
    { sequence: "decoder", a: 3, b: 4 },
    { sequence: "encoder", a: 0, b: 1 },
  ]);
  expect(writePairs(pairs)).toBe("decoder.3.4,encoder.0.1");
  expect(readPairs("")).toEqual([]);
});

test("a token has one partner: a new pair takes the place of those that share a token with it", () => {
  const made = withPair(readPairs("decoder.3.4,decoder.7.8,encoder.3.4"), { sequence: "decoder", a: 3, b: 8 });
  expect(writePairs(made)).toBe("encoder.3.4,decoder.3.8");
});
