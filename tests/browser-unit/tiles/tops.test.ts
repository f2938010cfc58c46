import { expect, test } from "vitest";
import { topOfReading, topsOf } from "../../../static/src/tiles/tops";
import { siteEvent, tokensEvent } from "../made";

test("the first token does not set the top of the scale, unless it is asked to", () => {
  const site = siteEvent({ overview: [255, 0, 255, 51], scale: [0.9] });
  expect(topsOf(site, undefined, false)[0]).toBeCloseTo(0.9 * 0.04);
  expect(topsOf(site, undefined, true)[0]).toBeCloseTo(0.9);
});

test("special tokens do not set it either, nor does the first token between two texts", () => {
  const site = siteEvent({ site: "decoder.cross.0", overview: [102, 255, 102, 255] });
  const keys = tokensEvent(
    ["a", "</s>"],
    [
      [0, 1],
      [0, 0],
    ],
    [false, true],
  );
  expect(topsOf(site, keys, false)[0]).toBeCloseTo(0.16);
});

test("a head that looks at nothing else keeps its own top", () => {
  expect(topsOf(siteEvent({ overview: [255, 0, 255, 0], scale: [0.7] }), undefined, false)[0]).toBeCloseTo(0.7);
});

test("the top of another reading is the largest in size of what is here, the first token left out", () => {
  const weights = { rows: [0, 2], cols: [0, 3], cell: 1, height: 2, width: 3 } as const;
  const values = Float32Array.of(9, 0.5, 0, -8, -2, 1);
  const here = [{ ...weights, rows: [0, 2] as [number, number], cols: [0, 3] as [number, number], values }, undefined];
  const site = siteEvent({ side: 3 });
  expect(topOfReading(site, undefined, false, here)).toBe(2);
  expect(topOfReading(site, undefined, true, here)).toBe(9);
  expect(topOfReading(site, undefined, false, [undefined])).toBe(1);
});
