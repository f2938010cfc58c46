import { expect, test } from "vitest";
import { groupSites } from "../../../static/src/state/sites";
import { placeHeads } from "../../../static/src/views/training/places";

const layers = (count: number) => Array.from({ length: count }, (_, layer) => `decoder.self.${layer}`);

test("a layer is a line, and no head stands on another or outside", () => {
  const { heads, side, height } = placeHeads(groupSites(layers(3)), () => 4, 400);
  expect(new Set(heads.map(({ y }) => y)).size).toBe(3);
  for (const { x, y } of heads) {
    expect(x + side).toBeLessThanOrEqual(400);
    expect(y + side).toBeLessThanOrEqual(height);
  }
  expect(new Set(heads.map(({ x, y }) => `${x} ${y}`)).size).toBe(12);
});

test("more heads than fit take several lines, large enough to be pressed", () => {
  const { heads, side } = placeHeads(groupSites(layers(1)), () => 32, 300);
  expect(side).toBeGreaterThanOrEqual(24);
  expect(new Set(heads.map(({ y }) => y)).size).toBeGreaterThan(1);
  expect(Math.max(...heads.map(({ x }) => x + side))).toBeLessThanOrEqual(300);
});
