import { expect, test } from "vitest";
import { cellFor, coveringTiles } from "../../../static/src/tiles/cover";

test("a value is never narrower than half a pixel nor, above cell 1, wider than one", () => {
  expect([4, 1, 0.9, 0.5, 0.3, 0.25, 0.1].map(cellFor)).toEqual([1, 1, 1, 2, 2, 4, 8]);
});

test("a small map is one tile, as large as the map", () => {
  expect(coveringTiles({ rows: 20, cols: 30 }, { rows: [0, 20], cols: [0, 30] }, 1)).toEqual([
    { cell: 1, rows: [0, 20], cols: [0, 30] },
  ]);
});

test("tiles cover the area and nothing else, on borders of the grid", () => {
  const tiles = coveringTiles({ rows: 2_000, cols: 2_000 }, { rows: [500, 600], cols: [0, 100] }, 1);
  expect(tiles.map(({ rows }) => rows).sort()).toEqual([
    [256, 512],
    [512, 768],
  ]);
  expect(tiles.every(({ cols }) => cols[0] === 0 && cols[1] === 256)).toBe(true);
});

test("the last tile ends with the map", () => {
  const tiles = coveringTiles({ rows: 2_000, cols: 2_000 }, { rows: [0, 2_000], cols: [0, 2_000] }, 4);
  expect(tiles).toHaveLength(4);
  expect(Math.max(...tiles.map(({ rows }) => rows[1]))).toBe(2_000);
});

test("the tile in the middle of the view comes first", () => {
  const [first] = coveringTiles({ rows: 4_000, cols: 4_000 }, { rows: [0, 1_280], cols: [0, 1_280] }, 1);
  expect(first).toMatchObject({ rows: [512, 768], cols: [512, 768] });
});
