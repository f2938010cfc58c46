import { expect, test } from "vitest";
import { FLOATS_PER_LINE } from "../../../static/src/gl/line_shape";
import type { Lines } from "../../../static/src/gl/lines";
import { strongestOf } from "../../../static/src/tiles/mass";
import type { Weights } from "../../../static/src/tiles/rectangles";
import { rangeOf, weave, weaveOne, type Weaving } from "../../../static/src/views/links/weave";

const weaving: Weaving = { scale: "linear", isSink: () => false };

function weights(rows: [number, number], values: number[], cols: [number, number] = [0, 2]): Weights {
  const width = cols[1] - cols[0];
  return { rows, cols, cell: 1, height: rows[1] - rows[0], width, values: Float32Array.from(values) };
}

/** Each line as [left, right, opacity, lane]. */
function told({ values, count }: Lines): number[][] {
  return Array.from({ length: count }, (_, line) =>
    [...values.subarray(line * FLOATS_PER_LINE, (line + 1) * FLOATS_PER_LINE)].map((value) => +value.toFixed(3)),
  );
}

test("each weight that can be seen is a line as opaque as it is strong, row by row, head by head", () => {
  const woven = weave([[weights([0, 2], [1, 0, 0.25, 0.75]), weights([0, 2], [0.5, 0.5, 0.001, 1])]], weaving);
  expect(told(woven)).toEqual([
    [0, 0, 1, 0],
    [0, 0, 0.5, 1],
    [0, 1, 0.5, 1],
    [1, 0, 0.25, 0],
    [1, 1, 0.75, 0],
    [1, 1, 1, 1],
  ]);
  expect(rangeOf(woven, [1, 2])).toEqual([3, 6]);
});

test("where heads rest, lines are fainter, and not when all tokens count alike", () => {
  const band = [[weights([0, 1], [1, 0])]];
  expect(told(weave(band, { ...weaving, isSink: (col) => col === 0 }))[0]?.[2]).toBeCloseTo(0.2);
  expect(told(weave(band, weaving))[0]?.[2]).toBe(1);
});

test("the threshold leaves the weakest out of each row", () => {
  const band = weights([0, 1], [0.6, 0.3, 0.1], [0, 3]);
  expect(told(weave([[strongestOf(band, 0.9)]], weaving)).map(([, col]) => col)).toEqual([0, 1]);
});

test("rows keep their places while a band between them is on its way", () => {
  const woven = weave([[weights([64, 65], [1, 0])], [null], [weights([66, 67], [0, 1])]], weaving);
  expect(rangeOf(woven, [64, 65])).toEqual([0, 1]);
  expect(rangeOf(woven, [65, 66])).toEqual([1, 1]);
  expect(rangeOf(woven, [66, 67])).toEqual([1, 2]);
  expect(rangeOf(woven, [0, 10])).toEqual([0, 0]);
});

test("spans of the same rows are put together", () => {
  const woven = weave([[weights([0, 1], [0.5, 0])], [weights([0, 1], [0, 0.5], [1024, 1026])]], weaving);
  expect(told(woven).map(([, col]) => col)).toEqual([0, 1025]);
});

test("one token's lines leave it on the left, or meet in it on the right", () => {
  const line = Float32Array.from([0.5, 0, 0.5]);
  expect(told(weaveOne("rows", 7, [line], weaving)).map(([left, right]) => [left, right])).toEqual([
    [7, 0],
    [7, 2],
  ]);
  expect(told(weaveOne("cols", 7, [null, line], weaving)).map(([left, right, , lane]) => [left, right, lane])).toEqual([
    [0, 7, 1],
    [2, 7, 1],
  ]);
});
