import { expect, test } from "vitest";
import { counted, duration, exactShare, share, signedShare } from "../../../static/src/dom/numbers";
import { shades } from "../../../static/src/views/strip/shading";
import { strongest } from "../../../static/src/views/strip/caption";

test("a probability has no nought before its point and no more digits than it needs", () => {
  expect([0, 0.00001, 0.0123, 0.0996, 0.61, 0.999, 1].map(share)).toEqual([
    "0",
    "<.001",
    ".012",
    ".10",
    ".61",
    "1.00",
    "1.00",
  ]);
});

test("a difference carries its sign, but for one that rounding may have made", () => {
  expect([0.061, -0.25, 1, -0.0001, 0].map(signedShare)).toEqual(["+.061", "−.25", "+1.00", "≈0", "0"]);
});

test("a hover shows the digits that a float32 can tell", () => {
  expect(exactShare(0.61237)).toBe(".6124");
  expect(exactShare(0.0000123)).toBe("1.23e−5");
});

test("times adapt their unit", () => {
  expect([0.0004, 0.041, 1.23, 75].map(duration)).toEqual(["0.4 ms", "41 ms", "1.2 s", "1 min 15 s"]);
});

test("one token is no tokens", () => {
  expect([counted(1, "token"), counted(2_361, "token")]).toEqual(["1 token", "2,361 tokens"]);
});

test("a first token that takes all does not hide the other links", () => {
  const weights = Float32Array.from([0.9, 0.08, 0.02]);
  const tints = shades(weights, (index) => index === 0);
  expect(tints[0]).toBe(1);
  expect(tints[1]).toBeGreaterThan(0.8);
  expect(tints[2]).toBeGreaterThan(0.3);
});

test("trifles stay faint", () => {
  expect(shades(Float32Array.from([0.004]), () => false)[0]).toBeLessThan(0.25);
});

test("the strongest links are named first, trifles not at all", () => {
  expect(strongest(Float32Array.from([0.001, 0.2, 0.7]))).toEqual([2, 1]);
});
