import { expect, test } from "vitest";
import { FIRST_PLAN, planFrom, RECIPES, withTask } from "../../../static/src/state/training_plan";

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
