import { expect, test } from "vitest";
import { estimate, FIRST_PLAN, planFrom, RECIPES, withTask } from "../../../static/src/state/training_plan";

test("parameters are counted as the models have them", () => {
  const decoder = { ...FIRST_PLAN, assignment: "copy", length: 32 } as const;
  expect(estimate({ ...decoder, layers: 1, width: 32 }).parameters).toBe(22_016);
  expect(estimate({ ...decoder, layers: 2, width: 64 }).parameters).toBe(118_592);
  expect(estimate({ ...decoder, layers: 3, width: 128 }).parameters).toBe(632_064);
  const pairs = { ...FIRST_PLAN, assignment: "dates", vocabulary: 462 } as const;
  expect(estimate({ ...pairs, layers: 1, width: 32 }).parameters).toBe(44_942);
  expect(estimate({ ...pairs, layers: 3, width: 128 }).parameters).toBe(1_448_142);
});

test("computing is six operations for each parameter and token", () => {
  const { parameters, tokens_per_step, flops } = estimate({ ...FIRST_PLAN, batch: 16, length: 20, steps: 10 });
  expect(tokens_per_step).toBe(320);
  expect(flops).toBe(6 * parameters * 320 * 10);
});

test("another task keeps the recipe and asks for a text only where it learns one", () => {
  const recipe = RECIPES[0]?.plan ?? {};
  const plan = withTask({ ...FIRST_PLAN, ...recipe }, "text");
  expect(plan).toMatchObject({ ...recipe, assignment: "text", text: "" });
  expect(withTask(plan, "copy").text).toBeNull();
});

test("a plan that is read lacks nothing, and knows nothing else", () => {
  const plan = planFrom({ assignment: "sort", layers: 5, other: 1 });
  expect(plan).toEqual({ ...FIRST_PLAN, assignment: "sort", layers: 5 });
});
