import { expect, test } from "vitest";
import { groupSites } from "../../../static/src/state/sites";
import { type GridCell, layOut } from "../../../static/src/views/grid/layout";
import { cellAt, neighbour } from "../../../static/src/views/grid/walk";

const layers = (count: number) => groupSites(Array.from({ length: count }, (_, layer) => `decoder.self.${layer}`));

test("every head has a place of its own inside the panel", () => {
  for (const [sites, heads] of [
    [4, 8],
    [12, 12],
    [32, 32],
    [48, 64],
  ] as const) {
    const { cells, cell_px } = layOut(layers(sites), () => heads, 320, 500);
    expect(cells).toHaveLength(sites * heads);
    expect(new Set(cells.map(({ x, y }) => `${x}:${y}`)).size).toBe(cells.length);
    expect(Math.max(...cells.map(({ x }) => x + cell_px))).toBeLessThanOrEqual(320);
  }
});

test("a point finds the head that is drawn there", () => {
  const layout = layOut(layers(4), () => 8, 320, 500);
  for (const cell of layout.cells) expect(cellAt(layout, cell.x + 1, cell.y + 1)).toBe(cell);
});

test("arrow keys walk heads and layers and stop at the border", () => {
  const layout = layOut(layers(3), () => 4, 320, 500);
  const at = (site: number, head: number) =>
    layout.cells.find((cell) => cell.site === `decoder.self.${site}` && cell.head === head) as GridCell;
  expect(neighbour(layout, at(0, 0), 1, 0)).toBe(at(0, 1));
  expect(neighbour(layout, at(0, 3), 1, 0)).toBe(at(0, 3));
  expect(neighbour(layout, at(1, 2), 0, 1)).toBe(at(2, 2));
  expect(neighbour(layout, at(0, 2), 0, -1)).toBe(at(0, 2));
});

test("places do not move when data arrives", () => {
  const before = layOut(layers(6), () => 8, 300, 500);
  const after = layOut(layers(6), () => 8, 300, 500);
  expect(after).toEqual(before);
});

test("a pair of stacks gets smaller maps before it has to scroll, but none too small to read", () => {
  const pair = groupSites([
    "encoder.self.0",
    "encoder.self.1",
    "decoder.self.0",
    "decoder.self.1",
    "decoder.cross.0",
    "decoder.cross.1",
  ]);
  expect(layOut(pair, () => 4, 400, 500).height).toBeLessThanOrEqual(500);
  expect(layOut(pair, () => 4, 400, 200).cell_px).toBe(34);
});
