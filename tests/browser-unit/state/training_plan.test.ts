import { expect, test } from "vitest";
import { FIRST_PLAN, GENTLE, isAsked, planFrom, recipeOf, recipesFor, withTask } from "../../../static/src/state/training_plan";

const PRESETS = { text: { layers: 3, length: 64 }, digits: { batch: 64 } } as const;

test("another task has its own plan and asks for a text only where it learns one", () => {
  const plan = withTask({ ...FIRST_PLAN, layers: 9, start: "prose", seed: 7 }, "text", PRESETS);
  expect(plan).toMatchObject({ assignment: "text", text: "", layers: 3, length: 64, start: null, seed: 7 });
  expect(withTask(plan, "copy", PRESETS)).toMatchObject({ text: null, layers: FIRST_PLAN.layers });
});

test("a recipe fills all fields of how it learns, and is known until one of them is changed", () => {
  const plan = withTask(FIRST_PLAN, "pairs", PRESETS);
  expect(recipeOf(plan, PRESETS)?.name).toBe("own");
  const recipes = recipesFor(plan, PRESETS);
  const names = recipes.map(({ plan: fields }) => Object.keys(fields).sort().join());
  expect(new Set(names).size).toBe(1);
  for (const { name, plan: fields } of recipes) expect(recipeOf({ ...plan, ...fields }, PRESETS)?.name).toBe(name);
  expect(recipeOf({ ...plan, beta2: 0.5 }, PRESETS)).toBeNull();
  expect(recipeOf({ ...plan, start: "prose", ...GENTLE }, PRESETS)?.name).toBe("own");
});

test("batches are counted in tokens by the paper's recipe where pairs are learned, and nowhere else", () => {
  const paper = (task: "pairs" | "copy") => recipesFor({ assignment: task, start: null }, PRESETS).find(({ name }) => name === "paper")?.plan.batch_tokens;
  expect([paper("pairs"), paper("copy")]).toEqual([2000, 0]);
});

test("sizes are not asked for where a model is fine-tuned, nor a length where there is none", () => {
  const asked = (changes: object) => (["layers", "vocabulary", "length", "batch_tokens"] as const).filter((name) => isAsked(name, { ...FIRST_PLAN, ...changes }));
  expect(asked({ assignment: "text" })).toEqual(["layers", "vocabulary", "length"]);
  expect(asked({ assignment: "text", start: "prose" })).toEqual(["length"]);
  expect(asked({ assignment: "text", tokenizer: "bytes" })).toEqual(["layers", "length"]);
  expect(asked({ assignment: "catalogs", tokenizer_from: "prose" })).toEqual(["layers", "length", "batch_tokens"]);
  expect(asked({ assignment: "digits" })).toEqual(["layers"]);
});

test("a plan that is read lacks nothing, and knows nothing else", () => {
  const plan = planFrom({ assignment: "sort", layers: 5, other: 1 });
  expect(plan).toEqual({ ...FIRST_PLAN, assignment: "sort", layers: 5 });
});
