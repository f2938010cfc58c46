import { expect, test } from "vitest";
import { areaInSight, fitCell, panBy, placePlot, weightUnder, zoomAt } from "../../../static/src/plot/geometry";

const box = { width: 700, height: 600 };
const gutters = { left: 80, top: 60, right: 26 };
const long = { rows: 2_000, cols: 2_000 };

test("the whole map is in sight at first, and a few tokens do not fill a poster", () => {
  const plot = placePlot(null, long, box, gutters);
  expect(areaInSight(plot, long)).toEqual({ rows: [0, 2_000], cols: [0, 2_000] });
  expect(plot.y + plot.height).toBeLessThanOrEqual(box.height);
  expect(fitCell({ rows: 3, cols: 3 }, box, gutters)).toBe(72);
});

test("zooming keeps the weight under the pointer where it is", () => {
  const plot = placePlot(null, long, box, gutters);
  const point = [plot.x + 200, plot.y + 150] as const;
  const before = weightUnder(plot, ...point);
  const after = placePlot(zoomAt(plot, 40, ...point, long, box, gutters), long, box, gutters);
  expect(weightUnder(after, ...point)).toEqual(before);
});

test("zooming out beyond the whole map is the whole map", () => {
  const plot = placePlot({ row: 5, col: 5, cell_px: 2 }, long, box, gutters);
  expect(zoomAt(plot, 0.001, 300, 300, long, box, gutters)).toBeNull();
});

test("a pan stops at the map's edge", () => {
  const plot = placePlot({ row: 5, col: 5, cell_px: 10 }, long, box, gutters);
  expect(panBy(plot, 9_000, 9_000, long)).toMatchObject({ row: 0, col: 0 });
  const end = panBy(plot, -1e6, -1e6, long);
  expect(end.row + plot.height / 10).toBeCloseTo(2_000);
});

test("a point beside the plot is no weight", () => {
  const plot = placePlot(null, long, box, gutters);
  expect(weightUnder(plot, plot.x - 1, plot.y)).toBeNull();
  expect(weightUnder(plot, plot.x + plot.width, plot.y)).toBeNull();
});
