import { expect, test } from "vitest";
import { bandAreas, holdsWholeRows } from "../../../static/src/tiles/bands";
import { siteEvent } from "../made";

const site = (length: number, name = "decoder.self.0") => siteEvent({ site: name, side: length / 8, cell: 8 });

test("a small map is read as a whole, whatever is in sight", () => {
  expect(bandAreas(site(128), [3, 9], [0, 5])).toEqual([{ rows: [0, 128], cols: [0, 128], cell: 1 }]);
});

test("of a longer one the rows in sight are read from end to end, in bands that stay when one scrolls", () => {
  const areas = bandAreas(site(2_000), [100, 140], [0, 30]);
  expect(areas.map(({ rows }) => rows)).toEqual([
    [64, 128],
    [128, 192],
  ]);
  expect(areas.every((area) => holdsWholeRows(site(2_000), area))).toBe(true);
  expect(bandAreas(site(2_000), [110, 150], [0, 30])).toEqual(areas);
});

test("of a very long one only keys in sight, keys around the rows and the first ones, in bounded pieces", () => {
  const areas = bandAreas(site(80_000), [40_000, 40_040], [20_000, 20_040]);
  expect(areas.map(({ cols }) => cols)).toEqual([
    [0, 1_024],
    [19_456, 20_480],
    [39_936, 40_960],
  ]);
  expect(areas.some((area) => holdsWholeRows(site(80_000), area))).toBe(false);
});

test("the last band ends with the map", () => {
  expect(bandAreas(site(2_000), [1_990, 2_000], [0, 9]).at(-1)?.rows).toEqual([1_984, 2_000]);
});
