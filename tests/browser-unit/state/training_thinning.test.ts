import { expect, test } from "vitest";
import { smooth, thin } from "../../../static/src/state/training_thinning";

const steps = (length: number) => Float64Array.from({ length }, (_, place) => place + 1);

test("few points stay as they are", () => {
  expect([...thin([1, 2, 3], [5, 6, 7], 10).y]).toEqual([5, 6, 7]);
});

test("of a hundred thousand steps at most so many are drawn, and one spike among them is", () => {
  const loss = new Float32Array(100_000).fill(1);
  loss[61_803] = 50;
  const { x, y } = thin(steps(100_000), loss, 2000);
  expect(x.length).toBeLessThanOrEqual(2000);
  expect(Math.max(...y)).toBe(50);
  expect(x[y.indexOf(50)]).toBe(61_804);
  expect([x[0], x[x.length - 1]]).toEqual([1, 100_000]);
});

test("points stay in the order of their steps", () => {
  const { x } = thin(steps(9999), Float32Array.from({ length: 9999 }, () => Math.random()), 500);
  expect([...x].every((step, place) => place === 0 || step > (x[place - 1] as number))).toBe(true);
});

test("smoothing keeps a level line level from its first step on, and tames a jagged one", () => {
  expect([...smooth([2, 2, 2], 0.9)].every((value) => Math.abs(value - 2) < 1e-12)).toBe(true);
  const jagged = Array.from({ length: 200 }, (_, place) => place % 2);
  expect(Math.abs((smooth(jagged, 0.95)[199] as number) - 0.5)).toBeLessThan(0.05);
  expect([...smooth(jagged, 0)]).toEqual(jagged);
});
