/** The form of a plan: its fields with their words and limits, recipes that fill it, and what it will cost. */
import { say } from "../language/say";
import type { AssignmentName, Plan } from "../wire/trainings";

export type { AssignmentName, Plan } from "../wire/trainings";

export type NumberName = Exclude<keyof Plan, "assignment" | "text" | "schedule" | "key_width" | "positions" | "norm_order" | "score">;

export interface NumberField {
  name: NumberName;
  title: string;
  meaning: string;
  least: number;
  most: number;
  /** 1 for whole numbers, "any" for others. */
  step: 1 | "any";
}

export interface FieldGroup {
  title: string;
  fields: NumberField[];
}

export const ASSIGNMENTS: { name: AssignmentName; title: string; meaning: string }[] = [
  { name: "copy", title: say("Copy"), meaning: say("abc>abc: repeats the letters after the sign.") },
  { name: "reverse", title: say("Reverse"), meaning: say("abc>cba: writes the letters backwards.") },
  { name: "sort", title: say("Sort"), meaning: say("bca>abc: writes the letters in the order of the alphabet.") },
  {
    name: "brackets",
    title: say("Brackets"),
    meaning: say("a(b[c]d)e: says at each place which bracket would close the innermost open one."),
  },
  {
    name: "repeats",
    title: say("Repeats"),
    meaning: say("a-b-a+: says whether a letter has stood in the line before. Heads learn to look for copies."),
  },
  {
    name: "dates",
    title: say("Dates"),
    meaning: say("“the fourteenth of july 1789” becomes 1789-07-14: an encoder reads, a decoder writes."),
  },
  {
    name: "numbers",
    title: say("Numbers"),
    meaning: say("“two hundred and five” becomes 205: an encoder reads, a decoder writes."),
  },
  {
    name: "text",
    title: say("Your text"),
    meaning: say("A text of yours, learned token by token: at each place the next one. Its last tenth is kept for tests."),
  },
];

export const GROUPS: FieldGroup[] = [
  {
    title: say("Model"),
    fields: [
      whole("layers", say("Layers"), say("Of a decoder; of an encoder and of a decoder where both learn."), 1, 24),
      whole("heads", say("Heads"), say("In each layer. They share the width, so they must divide it."), 1, 32),
      whole("width", say("Width"), say("Numbers that stand for a token. Feed-forward layers are four times as wide."), 16, 1024),
      whole("vocabulary", say("Vocabulary"), say("Tokens that are made from the text first. Lines of letters need none."), 257, 50_000),
      real("dropout", say("Dropout"), say("Share of numbers left out at random while it learns, against learning by heart."), 0, 0.9),
    ],
  },
  {
    title: say("How it learns"),
    fields: [
      whole("steps", say("Steps"), say("Times that the weights are changed."), 1, 1_000_000),
      whole("batch", say("Batch"), say("Sequences in one step."), 1, 1024),
      whole("length", say("Length"), say("Tokens of a line or of a window of the text, at most."), 8, 1024),
      real("learning_rate", say("Learning rate"), say("At its peak. With the paper's schedule: a factor of it, often 1."), 1e-7, 10),
      whole("warmup", say("Warm-up"), say("Steps in which the rate rises from nothing."), 1, 100_000),
      real("weight_decay", say("Weight decay"), say("How strongly weights are pulled towards zero."), 0, 1),
      real("label_smoothing", say("Label smoothing"), say("Share of each answer spread over all tokens, so that it is never too sure."), 0, 0.9),
      whole("seed", say("Seed"), say("The same plan with the same seed gives the same curve on the same device."), 0, 2 ** 31 - 1),
    ],
  },
  {
    title: say("How often it is looked at"),
    fields: [
      whole("snapshot_every", say("Heads every"), say("Steps from one look at every head to the next."), 1, 1_000_000),
      whole("evaluate_every", say("Tests every"), say("Steps from one test on examples it never learns to the next."), 1, 1_000_000),
      whole("checkpoint_every", say("Checkpoint every"), say("Steps from one saved state to the next; from there it goes on if it is cut off."), 1, 1_000_000),
    ],
  },
];

export const SCHEDULES: { name: Plan["schedule"]; title: string; meaning: string }[] = [
  { name: "cosine", title: say("Cosine"), meaning: say("Rises, then falls like a cosine to nearly nothing at the last step.") },
  { name: "noam", title: say("The paper's"), meaning: say("Rises, then falls with the root of the step (Vaswani et al. 2017, 5.3).") },
  { name: "constant", title: say("Constant"), meaning: say("Rises, then stays.") },
];

export const FIRST_PLAN: Plan = {
  assignment: "reverse",
  text: null,
  layers: 2,
  heads: 4,
  width: 64,
  key_width: null,
  positions: null,
  norm_order: null,
  score: "scaled_dot",
  dropout: 0,
  label_smoothing: 0,
  steps: 1000,
  batch: 32,
  length: 32,
  learning_rate: 2e-3,
  schedule: "cosine",
  warmup: 100,
  weight_decay: 0.01,
  vocabulary: 512,
  seed: 0,
  evaluate_every: 100,
  snapshot_every: 50,
  checkpoint_every: 200,
};

/** Sizes with which a task is learned in minutes on two cores. */
const SIZES: Record<AssignmentName, Partial<Plan>> = {
  copy: { layers: 2, width: 64, length: 32, steps: 1000, batch: 32 },
  reverse: { layers: 2, width: 64, length: 32, steps: 1000, batch: 32 },
  sort: { layers: 2, width: 64, length: 32, steps: 1500, batch: 32 },
  brackets: { layers: 3, width: 64, length: 48, steps: 2000, batch: 32 },
  repeats: { layers: 2, width: 64, length: 48, steps: 1500, batch: 32 },
  dates: { layers: 2, width: 64, length: 32, steps: 2000, batch: 64 },
  numbers: { layers: 2, width: 64, length: 32, steps: 2000, batch: 64 },
  text: { layers: 2, width: 128, length: 64, steps: 2000, batch: 16 },
};

export function withTask(plan: Plan, assignment: AssignmentName): Plan {
  return { ...plan, ...SIZES[assignment], assignment, text: assignment === "text" ? (plan.text ?? "") : null };
}

export const RECIPES: { title: string; meaning: string; plan: Partial<Plan> }[] = [
  {
    title: say("The paper's recipe"),
    meaning: say("Warm-up and inverse root, label smoothing .1, dropout .1, no weight decay (Vaswani et al. 2017, 5)."),
    plan: { schedule: "noam", learning_rate: 1, warmup: 400, label_smoothing: 0.1, dropout: 0.1, weight_decay: 0 },
  },
  {
    title: say("GPT's"),
    meaning: say("Warm-up and cosine, weight decay .1, no smoothing, as GPT-3 was trained (Brown et al. 2020, B)."),
    plan: { schedule: "cosine", learning_rate: 2e-3, warmup: 100, label_smoothing: 0, dropout: 0, weight_decay: 0.1 },
  },
];

/** The plan of a training as the API or its stream has it, in a form's types; what it lacks is as a first plan has it. */
export function planFrom(given: Readonly<Record<string, unknown>>): Plan {
  const plan: Record<string, unknown> = { ...FIRST_PLAN };
  for (const name of Object.keys(FIRST_PLAN)) if (given[name] !== undefined) plan[name] = given[name];
  return plan as unknown as Plan;
}

/** "Reverse, 2 layers × 4 heads". */
export function planTitle({ assignment }: Pick<Plan, "assignment">): string {
  return ASSIGNMENTS.find(({ name }) => name === assignment)?.title ?? assignment;
}

export function planSize({ layers, heads, width }: Pick<Plan, "layers" | "heads" | "width">): string {
  return say("{layers} × {heads} heads, width {width}", { layers, heads, width });
}

function whole(name: NumberName, title: string, meaning: string, least: number, most: number): NumberField {
  return { name, title, meaning, least, most, step: 1 };
}

function real(name: NumberName, title: string, meaning: string, least: number, most: number): NumberField {
  return { name, title, meaning, least, most, step: "any" };
}
