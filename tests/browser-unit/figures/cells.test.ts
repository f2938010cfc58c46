/** The lens as a figure: what stands where. */
import { expect, test } from "vitest";
import { drawCells } from "../../../static/src/figures/cells";
import { COLUMN_PT, hex, type LineMark, type RectMark, type TextMark } from "../../../static/src/figures/drawing";
import { rampColour, rampOf } from "../../../static/src/gl/ramp";
import { measure } from "./made";

const cell = (text: string, share: number, isMarked = false) => ({ text, share, isMarked });
const figure = (cols: string[], cells: ReturnType<typeof cell>[]) =>
  drawCells(
    { title: "T", notes: [], rows: ["L0", "in"], cols, cells, ramp: rampOf("light"), legend: "probability", format: String },
    measure,
  );

test("each cell has the colour of its share, letters that can be read on it, and a line where it is true", () => {
  const { marks, width } = figure(["·a", "·b"], [cell("x", 1), cell("y", 0, true), cell("z", 0.5), cell("w", 0)]);
  expect(width).toBe(COLUMN_PT);
  const rects = marks.filter((mark): mark is RectMark => mark.kind === "rect");
  expect(rects.map(({ fill }) => fill)).toEqual([1, 0, 0.5, 0].map((share) => hex(rampColour(rampOf("light"), share))));
  const letters = marks.filter((mark): mark is TextMark => mark.kind === "text");
  const inkOf = (text: string) => letters.find((mark) => mark.text === text)?.colour;
  expect([inkOf("x"), inkOf("y")]).toEqual(["#ffffff", "#000000"]);
  const lines = marks.filter((mark): mark is LineMark => mark.kind === "line");
  expect(lines).toHaveLength(1);
  expect(lines[0]?.x1).toBeGreaterThan(rects[1]?.x ?? 0);
});

test("many positions take both columns of a paper, and nothing leaves it", () => {
  const cols = Array.from({ length: 16 }, (_, index) => `a long name of a token ${index}`);
  const { marks, width, height } = figure(cols, Array(32).fill(cell("another long name", 0.3)));
  expect(width).toBe(512);
  for (const mark of marks) {
    if (mark.kind === "rect") expect(mark.x + mark.width).toBeLessThanOrEqual(width);
    if (mark.kind === "text") expect(mark.y).toBeLessThan(height);
    if (mark.kind === "text" && mark.anchor === "start") expect(mark.x + measure(mark.text, mark.font, mark.size)).toBeLessThanOrEqual(width);
  }
});
