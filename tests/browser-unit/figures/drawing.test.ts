/** What a figure puts where, before any file is written. */
import { expect, test } from "vitest";
import { COLUMN_PT, fit, type PixelsMark, type TextMark } from "../../../static/src/figures/drawing";
import { drawDots } from "../../../static/src/figures/dots";
import { drawMatrix } from "../../../static/src/figures/matrix";
import { drawProducts } from "../../../static/src/figures/products";
import { rampColour, rampOf } from "../../../static/src/gl/ramp";
import { FONTS, measure, smallMap } from "./made";

const texts = (marks: readonly { kind: string }[]) => marks.filter((mark): mark is TextMark => mark.kind === "text");

test("a map is as wide as a column, and nothing leaves the paper", () => {
  const { width, height, marks } = smallMap(["a rather long name of a token, too long to fit", "b"], "T".repeat(200));
  expect(width).toBe(COLUMN_PT);
  for (const { text, x, anchor, font, size, turn_deg } of texts(marks)) {
    if (turn_deg) continue;
    const long = measure(text, font, size);
    const left = anchor === "end" ? x - long : anchor === "middle" ? x - long / 2 : x;
    expect(left).toBeGreaterThanOrEqual(0);
    expect(left + long).toBeLessThanOrEqual(width);
  }
  for (const mark of marks) if (mark.kind === "pixels") expect(mark.y + mark.height).toBeLessThanOrEqual(height);
});

test("a weight has the ramp's colour, a masked one that of the mask", () => {
  const map = smallMap().marks.find((mark): mark is PixelsMark => mark.kind === "pixels") as PixelsMark;
  const ramp = rampOf("light");
  expect([...map.bytes]).toEqual([
    ...rampColour(ramp, 1),
    ...ramp.masked,
    ...rampColour(ramp, 0.25),
    ...rampColour(ramp, 0.75),
  ]);
});

test("dots stand within the plot, the marked one last and larger", () => {
  const dot = { shape: "square", isMarked: false } as const;
  const dots = [{ ...dot, x: 0, y: 0.9, isMarked: true }, { ...dot, x: 0, y: 0 }, { ...dot, x: 3, y: 1, shape: "flat" as const }];
  const { marks, width, height } = drawDots({ title: "entropy", notes: [], dots, xTitle: "layer", topText: "1", top: 1, layers: 4 }, measure);
  const squares = marks.filter((mark) => mark.kind === "rect");
  expect(squares).toHaveLength(3);
  for (const square of squares) {
    expect(square.x).toBeGreaterThan(0);
    expect(square.x + square.width).toBeLessThanOrEqual(width);
    expect(square.y + square.height).toBeLessThan(height);
  }
  expect(squares.at(-1)?.width).toBeGreaterThan(squares[0]?.width ?? 0);
  const ys = squares.map(({ y, height: tall }) => y + tall / 2);
  expect(ys[1]).toBeLessThan(ys[2] ?? 0);
});

test("products rise above their line or hang below it, as their sign is", () => {
  const lines = [{ name: "× scale", operand: ".25", result: "1.2" }];
  const { marks } = drawProducts({ title: "a weight", notes: [], products: [2, -1, 0.5], endText: "", lines }, measure);
  const zero = marks.find((mark) => mark.kind === "line")?.y1 ?? 0;
  const [up, down, half] = marks.filter((mark) => mark.kind === "rect");
  expect((up?.y ?? 0) + (up?.height ?? 0)).toBeCloseTo(zero);
  expect(down?.y).toBeCloseTo(zero);
  expect((half?.height ?? 0) * 4).toBeCloseTo(up?.height ?? 0);
  expect(texts(marks).map(({ text }) => text)).toContain("= 1.2");
});

test("of a large map every so-many-th token is named, never two over one another", () => {
  const names = Array.from({ length: 300 }, (_, index) => `t${index}`);
  const figure = { values: new Float32Array(90_000), rows: names, cols: names, isMasked: () => false } as const;
  const rest = { title: "", notes: [], ramp: rampOf("light"), scale: "sqrt", top: 1, legend: "", format: String } as const;
  const rows = texts(drawMatrix({ ...figure, ...rest }, measure).marks).filter(({ anchor, font }) => font === "mono" && anchor === "end");
  expect(rows.length).toBeGreaterThan(30);
  const gaps = rows.slice(1).map(({ y }, index) => y - (rows[index]?.y ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThan((rows[0]?.size ?? 0) - 0.01);
});

test("a text is cut in its middle until it fits", () => {
  expect(fit("short", 100, "mono", 6, measure)).toBe("short");
  const cut = fit("a very long name of a token", 40, "mono", 6, measure);
  expect(cut).toMatch(/^a v.*….*en$/);
  expect(measure(cut, "mono", 6)).toBeLessThanOrEqual(40);
});

test("the fonts know the letters of the page's languages, and that they lack others", () => {
  for (const letter of "Aäßéſλж·…−×") expect(FONTS.mono.glyphOf(letter.codePointAt(0) ?? 0)).toBeGreaterThan(0);
  expect(FONTS.sans.glyphOf("語".codePointAt(0) ?? 0)).toBe(0);
  expect(FONTS.mono.widthOf(FONTS.mono.glyphOf(105))).toBe(FONTS.mono.widthOf(FONTS.mono.glyphOf(87)));
});
