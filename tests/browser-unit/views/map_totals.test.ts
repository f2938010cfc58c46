import { expect, test } from "vitest";
import { barsInSight, barUnder, wordsOf } from "../../../static/src/views/map/totals";

const values = Float32Array.from({ length: 1000 }, (_, index) => (index === 501 ? 9 : 1));

test("close up each token in sight has its bar, clipped at the edges", () => {
  const bars = barsInSight(values, 500.5, 10, 40);
  expect(bars.map(({ range }) => range[0])).toEqual([500, 501, 502, 503, 504]);
  expect(bars[0]).toMatchObject({ at_px: 0, width_px: 4 });
  expect(bars[1]).toMatchObject({ at_px: 5, width_px: 9, value: 9 });
  expect(bars[4]?.at_px).toBe(35);
  expect(bars[4]?.width_px).toBe(5);
});

test("far out a pixel shows the largest of its tokens, and no token is passed over", () => {
  const bars = barsInSight(values, 0, 0.3, 300);
  expect(bars).toHaveLength(300);
  expect(Math.max(...bars.map(({ value }) => value))).toBe(9);
  expect(bars.every(({ range }, index) => range[0] === (index ? bars[index - 1]?.range[1] : 0))).toBe(true);
  expect(bars.at(-1)?.range[1]).toBe(1000);
});

test("a point above the map is a column's bar, one on its right a row's, others none", () => {
  const plot = { x: 100, y: 50, width: 200, height: 200, cell_px: 10, row: 5, col: 7 };
  expect(barUnder(plot, 115, 40)).toEqual({ col: 8 });
  expect(barUnder(plot, 305, 71)).toEqual({ row: 7 });
  expect(barUnder(plot, 305, 40)).toBeNull();
  expect(barUnder(plot, 150, 60)).toBeNull();
});

test("a bar's words name the token; nothing is said of what is not summed up yet", () => {
  const labels = { rows: ["a", "b"], cols: ["a", "b"] };
  const margins = { received: Float32Array.from([1.25, 0.75]), entropy: Float32Array.from([0, 0.693147]), rows: 2 };
  expect(wordsOf({ col: 1 }, margins, labels).join(" ")).toContain("b receives from all 2 rows");
  expect(wordsOf({ row: 1 }, margins, labels)[0]).toContain("about 2.0 keys: entropy 0.69 nats");
  expect(wordsOf({ row: 1 }, { ...margins, rows: 1 }, labels)).toEqual([]);
  expect(wordsOf({ col: 1 }, { ...margins, received: null }, labels)).toEqual([]);
});
