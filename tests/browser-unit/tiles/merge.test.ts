import { expect, test } from "vitest";
import { meanLine, perGroup, sumLine } from "../../../static/src/tiles/merge";

const line = (...values: number[]) => ({ values: Float32Array.from(values), exact: true });

test("several heads are averaged token by token, and the whole is exact only if each is", () => {
  expect(meanLine([line(1, 0, 0), line(0, 0.5, 0.5)])).toEqual(line(0.5, 0.25, 0.25));
  expect(meanLine([line(1, 0), { ...line(0, 1), exact: false }])?.exact).toBe(false);
});

test("one head is left as it is, none is none", () => {
  const alone = line(0.25, 0.75);
  expect(meanLine([alone])).toBe(alone);
  expect(sumLine([alone])).toBe(alone);
  expect(meanLine([])).toBeNull();
});

test("what a word receives is summed over its tokens, and who looks is the mean over them", () => {
  expect(perGroup(line(0.5, 0.25, 0.25), [[0], [1, 2]], "sum")).toEqual(line(0.5, 0.5));
  expect(perGroup(line(0.5, 0.25, 0.75), [[0], [1, 2]], "mean")).toEqual(line(0.5, 0.5));
  expect(sumLine([line(0.5, 0.25), line(0.25, 0.5)])).toEqual(line(0.75, 0.75));
});

test("a word's row still sums to 1", () => {
  const rows = [line(0.5, 0.5, 0, 0), line(0.25, 0.25, 0.25, 0.25)];
  const mean = meanLine(rows);
  const word = mean && perGroup(mean, [[0], [1, 2], [3]], "sum");
  expect(word?.values.reduce((sum, value) => sum + value)).toBeCloseTo(1);
});
