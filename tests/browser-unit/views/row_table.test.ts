import { expect, test } from "vitest";
import { strongestKeys } from "../../../static/src/views/map/row_table";

test("a row is told by its strongest keys in their order, and what has no weight is left out", () => {
  const line = { values: Float32Array.from([0.25, 0, 0.5, 0.25, 0]), exact: true };
  expect(strongestKeys(line, 2)).toEqual([
    { key: 2, weight: 0.5 },
    { key: 0, weight: 0.25 },
  ]);
  expect(strongestKeys(line, 10).map(({ key }) => key)).toEqual([2, 0, 3]);
});
