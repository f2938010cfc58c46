import { expect, test } from "vitest";
import { floorOf, floorsOf, keptOf, leastFloors, strongestOf } from "../../../static/src/tiles/mass";
import type { Weights } from "../../../static/src/tiles/rectangles";

const weights: Weights = {
  rows: [0, 2],
  cols: [0, 4],
  cell: 1,
  height: 2,
  width: 4,
  values: Float32Array.of(0.5, 0.25, 0.125, 0.125, 0.25, 0.25, 0.25, 0.25),
};

test("a sharp row keeps few weights, a broad one many", () => {
  expect([...strongestOf(weights, 0.75).values]).toEqual([0.5, 0.25, 0, 0, 0.25, 0.25, 0.25, 0.25]);
});

test("everything is kept at a share of one, without a copy", () => {
  expect(strongestOf(weights, 1)).toBe(weights);
});

test("the same threshold is worked out once", () => {
  expect(strongestOf(weights, 0.5)).toBe(strongestOf(weights, 0.5));
  expect(floorsOf(weights, 0.5)).toBe(floorsOf(weights, 0.5));
});

test("a row that sees nothing keeps nothing to divide by", () => {
  expect(floorOf(Float32Array.of(0, 0, 0), 0.9)).toBe(0);
});

test("weights that rounding alone tells apart are kept together", () => {
  const alike = { ...weights, height: 1, values: Float32Array.of(0.25, 0.2500001, 0.2499999, 0.25) };
  expect([...strongestOf(alike, 0.25).values].every((weight) => weight > 0)).toBe(true);
});

test("a part of rows keeps what reaches the floors that others have found", () => {
  const kept = keptOf(weights, { key: "of a worker", values: Float32Array.of(0.2, 0.3) });
  expect([...kept.values]).toEqual([0.5, 0.25, 0, 0, 0, 0, 0, 0]);
});

test("a pooled cell has the least floor of its rows, and rows without weights have no say", () => {
  const floors = Float32Array.of(0.5, 0.25, 0, 0.125, 0, 0, 0.75);
  expect([...leastFloors(floors, 2)]).toEqual([0.25, 0.125, 0, 0.75]);
  expect(leastFloors(floors, 1)).toBe(floors);
});
