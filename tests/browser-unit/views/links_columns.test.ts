import { expect, test } from "vitest";
import {
  canScroll,
  inSight,
  middleOf,
  placeColumns,
  scrollTo,
  tokenUnder,
} from "../../../static/src/views/links/columns";

const named = (length: number) => Array.from({ length }, (_, index) => `·${index}`);
const place = (rows: number, cols: number, scroll = { rows: 0, cols: 0 }, width = 760) =>
  placeColumns({ rows: named(rows), cols: named(cols) }, scroll, { width, height: 458 });

test("a short text stands whole, with room between its lines", () => {
  const columns = place(3, 3);
  expect(canScroll(columns)).toBe(false);
  expect(inSight(columns, "rows")).toEqual([0, 3]);
  expect(columns.pitch).toBe(30);
});

test("a long text shows a window of each side, scrolled by itself and never beyond its end", () => {
  const columns = place(2_000, 1_000, { rows: 1_500, cols: 1e9 });
  expect(canScroll(columns)).toBe(true);
  expect(inSight(columns, "rows")).toEqual([100, 126]);
  expect(inSight(columns, "cols")[1]).toBe(1_000);
});

test("the token under a point is the one whose name is there, and between the names there is none", () => {
  const columns = place(100, 100, { rows: 150, cols: 0 });
  const y = middleOf(columns, "rows", 12);
  expect(tokenUnder(columns, columns.left_x - 30, y)).toEqual({ side: "rows", index: 12 });
  expect(tokenUnder(columns, columns.right_x + 30, y)).toEqual({ side: "cols", index: 2 });
  expect(tokenUnder(columns, (columns.left_x + columns.right_x) / 2, y)).toBeNull();
  expect(tokenUnder(columns, columns.left_x - 30, columns.top - 5)).toBeNull();
});

test("a token that is walked to comes into sight, and one that is in sight moves nothing", () => {
  const columns = place(100, 100);
  expect(scrollTo(columns, "rows", 10)).toBe(0);
  const scroll = scrollTo(columns, "rows", 50);
  expect(inSight(place(100, 100, { rows: scroll, cols: 0 }), "rows")).toContain(52);
});

test("names and lines fit a narrow window", () => {
  const columns = place(40, 40, { rows: 0, cols: 0 }, 382);
  expect(columns.left_x).toBeGreaterThan(40);
  expect(columns.right_x).toBeLessThan(382 - 40);
  expect(columns.right_x - columns.left_x).toBeGreaterThan(80);
});
