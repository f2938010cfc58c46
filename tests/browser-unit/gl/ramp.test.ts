import { expect, test } from "vitest";
import { divergingRampOf, luminance, rampColour, rampOf } from "../../../static/src/gl/ramp";
import { rampShare, signedRampColour, weightAt } from "../../../static/src/gl/scale";

test.each([
  ["light", -1],
  ["dark", 1],
] as const)("the %s ramp goes one way in lightness", (theme, direction) => {
  const ramp = rampOf(theme);
  const steps = Array.from({ length: 33 }, (_, index) => luminance(rampColour(ramp, index / 32)));
  expect(steps.slice(1).every((step, index) => (step - (steps[index] as number)) * direction > 0)).toBe(true);
});

test.each(["light", "dark"] as const)("numbers on the %s ramp can be read at every step", (theme) => {
  const ramp = rampOf(theme);
  for (let share = 0; share <= 1; share += 1 / 64) {
    const behind = luminance(rampColour(ramp, share));
    const black = (behind + 0.05) / 0.05;
    const white = 1.05 / (behind + 0.05);
    expect(behind > 0.18 ? black : white).toBeGreaterThanOrEqual(4.5);
  }
});

test.each(["linear", "sqrt", "log"] as const)("the %s scale and its legend agree", (scale) => {
  for (const share of [0.1, 0.5, 1]) expect(rampShare(weightAt(share, 0.4, scale), 0.4, scale)).toBeCloseTo(share);
  expect(rampShare(0, 0.4, scale)).toBe(0);
  expect(rampShare(9, 0.4, scale)).toBe(1);
});

test.each(["light", "dark"] as const)("the %s diverging ramp is neutral at 0 and equally far at both ends", (theme) => {
  const ramp = divergingRampOf(theme);
  const at = (difference: number) => signedRampColour(ramp, difference, 0.5, "linear");
  expect(at(0)).toEqual(rampColour(rampOf(theme), 0));
  // Blue for less and orange for more: told apart by blue against red, whatever the eye makes of green.
  for (const size of [0.1, 0.25, 0.5]) {
    const [less, more] = [at(-size), at(size)];
    expect(less[2] - less[0]).toBeGreaterThan(8);
    expect(more[0] - more[2]).toBeGreaterThan(8);
  }
  expect(at(-2)).toEqual(at(-0.5));
  const contrast = (a: number, b: number) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  for (const end of [at(-0.5), at(0.5)]) expect(contrast(luminance(end), luminance(at(0)))).toBeGreaterThan(7);
});
