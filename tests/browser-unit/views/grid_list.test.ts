import { expect, test } from "vitest";
import { layOutList } from "../../../static/src/views/grid/list";
import { cellAt, cellsInSight, neighbour } from "../../../static/src/views/grid/walk";

const heads = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ site: `decoder.self.${index % 7}`, head: index, value: 0.5 }));
const NAME = { name: "L31·H31".length, kind: 0 };

test("a list stays inside its panel and fits in height where the maps stay readable", () => {
  for (const count of [1, 2, 6, 12, 32]) {
    const { cells, cell_px, height } = layOutList(heads(count), NAME, 320, 500);
    expect(cells).toHaveLength(count);
    expect(Math.max(...cells.map(({ x }) => x + cell_px))).toBeLessThanOrEqual(320);
    expect(height).toBeLessThanOrEqual(500);
  }
  const many = layOutList(heads(1024), NAME, 320, 500);
  expect(many.height).toBeGreaterThan(500);
  expect(many.cell_px).toBeGreaterThanOrEqual(34);
});

test("few heads are drawn larger, with captions", () => {
  const sizes = [1024, 24, 6, 1].map((count) => layOutList(heads(count), NAME, 320, 500));
  const widths = sizes.map(({ cell_px }) => cell_px);
  expect(widths).toEqual([...widths].sort((a, b) => a - b));
  expect(sizes.map(({ captions }) => captions)).toEqual(["none", "two lines", "line", "line"]);
});

test("a short list keeps its captions even where it has to scroll, and says kinds where there are several", () => {
  const pair = { name: "L1·H3".length, kind: "cross".length };
  const { captions, cell_px, height } = layOutList(heads(24), pair, 320, 300);
  expect(captions).toBe("two lines");
  expect(cell_px).toBeGreaterThanOrEqual(34);
  expect(height).toBeGreaterThan(300);
  expect(layOutList(heads(25), pair, 320, 300).captions).toBe("none");
});

test("a point finds the head that is drawn there, and nothing beside the last one", () => {
  const layout = layOutList(heads(3072), NAME, 320, 500);
  for (const cell of layout.cells) {
    expect(cellAt(layout, cell.x + 1.4, cell.y + 0.6)).toBe(cell);
    expect(cellAt(layout, cell.x + layout.cell_px - 1, cell.y + layout.cell_px - 1)).toBe(cell);
  }
  const short = layOutList(heads(3), NAME, 320, 500);
  expect(cellAt(short, 5, short.height + 50)).toBeNull();
  expect(cellAt(short, 319, 10)?.head ?? null).toBe(null);
  expect(cellAt(layOutList([], NAME, 320, 500), 5, 5)).toBeNull();
});

test("cells in sight are those that reach into the part, and hardly more", () => {
  const layout = layOutList(heads(3072), NAME, 320, 500);
  const [top, bottom] = [4000, 4500];
  const [from, to] = cellsInSight(layout, top, bottom);
  const reaching = layout.cells.filter(({ y }) => y + layout.cell_px > top && y < bottom);
  const inSight = layout.cells.slice(from, to);
  expect(inSight).toEqual(expect.arrayContaining(reaching));
  expect(inSight.length).toBeLessThan(reaching.length + 12);
});

test("arrow keys walk a list in the order shown, across lines, and stop at its ends", () => {
  const layout = layOutList(heads(12), NAME, 320, 500);
  const { cells } = layout;
  const columns = cells.filter(({ y }) => y === cells[0]?.y).length;
  const step = (place: number, dx: number, dy: number) => {
    const from = cells[place];
    return from && cells.indexOf(neighbour(layout, from, dx, dy));
  };
  expect(step(columns - 1, 1, 0)).toBe(columns);
  expect(step(columns, -1, 0)).toBe(columns - 1);
  expect(step(1, 0, 1)).toBe(columns + 1);
  expect(step(0, -1, 0)).toBe(0);
  expect(step(11, 1, 0)).toBe(11);
  expect(step(11, 0, 1)).toBe(11);
});
