import { expect, test } from "vitest";
import { columnOf, overviewAt, rowOf, wholeMap } from "../../../static/src/tiles/links";
import { Rectangles } from "../../../static/src/tiles/rectangles";
import { siteEvent } from "../made";

const map = { run: "r1", site: "decoder.self.0", head: 0 };
const nothing = new Rectangles(() => new Promise(() => {}));

test("the overview answers with the square of its root, times the head's scale", () => {
  const site = siteEvent({ overview: [255, 0, 51, 102], scale: [0.5] });
  expect(overviewAt(site, 0, 0, 0)).toBeCloseTo(0.5);
  expect(overviewAt(site, 0, 1, 0)).toBeCloseTo(0.5 * 0.04);
});

test("until exact values are here, rows and columns say that they are not exact", () => {
  const site = siteEvent({ side: 2, cell: 4, overview: [255, 0, 0, 255] });
  expect(rowOf(site, map, 5, nothing)).toEqual({ values: Float32Array.from([0, 0, 0, 0, 1, 1, 1, 1]), exact: false });
});

test("exact rows and columns are read from the whole map", async () => {
  const site = siteEvent({ overview: [255, 0, 128, 128] });
  const rectangles = new Rectangles(async () => ({ values: Float32Array.from([1, 0, 0.25, 0.75]), shape: [2, 2] }));
  rectangles.want("strip", map, [wholeMap(site) as NonNullable<ReturnType<typeof wholeMap>>]);
  await new Promise((resolve) => setTimeout(resolve));
  expect(rowOf(site, map, 1, rectangles)).toEqual({ values: Float32Array.from([0.25, 0.75]), exact: true });
  expect(columnOf(site, map, 0, rectangles)).toEqual({ values: Float32Array.from([1, 0.25]), exact: true });
});
