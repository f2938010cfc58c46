/** The form of a plan: its fields with their words and limits, recipes that fill it, and what it will cost. */
import { say } from "../language/say";
import type { AssignmentName, LanguagesName, Plan, TokenizerKind } from "../wire/trainings";
import { choosesTokenizer, hasLength, isPaired, learnsText, TASKS } from "./training_tasks";

export type { AssignmentName, Plan } from "../wire/trainings";

type NotANumber =
  | "assignment"
  | "text"
  | "pictures"
  | "languages"
  | "start"
  | "tokenizer"
  | "tokenizer_from"
  | "schedule"
  | "leaning"
  | "key_width"
  | "positions"
  | "norm_order"
  | "score"
  | "precision"
  | "recompute"
  | "compile";
export type NumberName = Exclude<keyof Plan, NotANumber>;
export type Presets = Partial<Record<AssignmentName, Partial<Plan>>>;

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

/** What a newcomer may want to change. */
export const FIRST_FIELDS: NumberField[] = [
  whole("layers", say("Layers"), say("Of a decoder; of an encoder and of a decoder where both learn."), 1, 24),
  whole("heads", say("Heads"), say("In each layer. They share the width, so they must divide it."), 1, 32),
  whole("width", say("Width"), say("Numbers that stand for a token. Feed-forward layers are four times as wide."), 16, 1024),
  whole("steps", say("Steps"), say("Times that the weights are changed."), 1, 1_000_000),
  whole("batch", say("Batch"), say("Sequences in one step."), 1, 1024),
  whole("length", say("Length"), say("Tokens of a line or of a window of the text, at most."), 8, 1024),
  real("learning_rate", say("Learning rate"), say("At its peak. With the paper's schedule: a factor of it, often 1."), 1e-7, 10),
];

/** All others, beneath "More". */
export const GROUPS: FieldGroup[] = [
  {
    title: say("Optimiser"),
    fields: [
      whole("warmup", say("Warm-up"), say("Steps in which the rate rises from nothing."), 1, 100_000),
      real("weight_decay", say("Weight decay"), say("How strongly weights are pulled towards zero."), 0, 1),
      real("beta1", say("Beta 1"), say("How much of the last steps' direction AdamW keeps. Without weight decay it is Adam."), 0, 0.9999),
      real("beta2", say("Beta 2"), say("How much of the last steps' sizes it keeps."), 0, 0.99999),
      real("clip", say("Clip"), say("The longest gradient; longer ones are shortened to it. 0 leaves all as they are."), 0, 1000),
      whole("accumulate", say("Accumulate"), say("Batches in one step: as one large batch, with the memory of a small one."), 1, 64),
      whole("batch_tokens", say("Tokens a batch"), say("As many pairs as have so many tokens together; 0 counts pairs, as Batch says."), 0, 100_000),
      whole("average", say("Average"), say("Of how many last checkpoints the model is the mean when it is done."), 1, 20),
    ],
  },
  {
    title: say("Against learning by heart"),
    fields: [
      real("dropout", say("Dropout"), say("Share of numbers left out at random while it learns, against learning by heart."), 0, 0.9),
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

export const VOCABULARY: NumberField = whole(
  "vocabulary",
  say("Vocabulary"),
  say("Tokens that are made from the text first, at most."),
  257,
  50_000,
);

/** Whether a field says anything with the rest as it is: of a model that is fine-tuned the sizes stand. */
export function isAsked(name: NumberName, { assignment, start, tokenizer, tokenizer_from }: Plan): boolean {
  switch (name) {
    case "layers":
    case "heads":
    case "width":
      return start === null;
    case "vocabulary":
      if (start !== null || tokenizer_from !== null || tokenizer === "bytes") return false;
      return choosesTokenizer(assignment) || assignment === "dates" || assignment === "numbers";
    case "length":
      return hasLength(assignment);
    case "batch_tokens":
      return isPaired(assignment);
    default:
      return true;
  }
}

export const SCHEDULES: { name: Plan["schedule"]; title: string; meaning: string }[] = [
  { name: "cosine", title: say("Cosine"), meaning: say("Rises, then falls like a cosine to nearly nothing at the last step.") },
  { name: "noam", title: say("The paper's"), meaning: say("Rises, then falls with the root of the step (Vaswani et al. 2017, 5.3).") },
  { name: "linear", title: say("Straight"), meaning: say("Rises, then falls in a straight line to nothing.") },
  { name: "constant", title: say("Constant"), meaning: say("Rises, then stays.") },
];

export const TOKENIZERS: { name: TokenizerKind; title: string; meaning: string }[] = [
  { name: "bpe", title: say("Byte pairs"), meaning: say("Frequent neighbours among bytes grow together, as in GPT-2.") },
  { name: "wordpiece", title: say("WordPiece"), meaning: say("Frequent neighbours within words grow together, as in BERT.") },
  { name: "unigram", title: say("Unigram"), meaning: say("The likeliest pieces of many, as in T5.") },
  { name: "characters", title: say("Characters"), meaning: say("Each letter is a token.") },
  { name: "bytes", title: say("Bytes"), meaning: say("Each byte is a token; any text can be read.") },
];

export const LANGUAGES: { name: LanguagesName; title: string }[] = [
  { name: "de-en", title: say("German into English") },
  { name: "en-de", title: say("English into German") },
  { name: "fr-en", title: say("French into English") },
  { name: "en-fr", title: say("English into French") },
];

/** Each field as `modelcore.training.plan` has it where nobody says otherwise. */
export const FIRST_PLAN: Plan = {
  assignment: "reverse",
  text: null,
  pictures: null,
  languages: "de-en",
  start: null,
  tokenizer: "bpe",
  tokenizer_from: null,
  leaning: false,
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
  batch_tokens: 0,
  accumulate: 1,
  length: 32,
  learning_rate: 2e-3,
  schedule: "cosine",
  warmup: 100,
  weight_decay: 0.01,
  beta1: 0.9,
  beta2: 0.98,
  clip: 1,
  average: 1,
  vocabulary: 512,
  precision: "float32",
  recompute: false,
  compile: false,
  seed: 0,
  evaluate_every: 100,
  snapshot_every: 50,
  checkpoint_every: 200,
};

/** The task's own plan, with which it is learned in minutes; the text and the seed stay. */
export function withTask(plan: Plan, assignment: AssignmentName, presets: Presets): Plan {
  const { seed, languages, text, pictures } = plan;
  return {
    ...FIRST_PLAN,
    ...presets[assignment],
    seed,
    languages,
    assignment,
    text: learnsText(assignment) ? (text ?? "") : null,
    pictures: assignment === "images" ? pictures : null,
  };
}

export interface Recipe {
  name: string;
  title: string;
  meaning: string;
  plan: Partial<Plan>;
}

/** How it learns, whatever it learns: each recipe names all of these fields. */
export function recipesFor({ assignment, start }: Pick<Plan, "assignment" | "start">, presets: Presets): Recipe[] {
  const own = { ...FIRST_PLAN, ...presets[assignment], ...(start === null ? {} : GENTLE) };
  const { schedule, learning_rate, warmup, label_smoothing, dropout, weight_decay, beta1, beta2, clip, average, batch_tokens } = own;
  return [
    {
      name: "own",
      title: say("This task's"),
      meaning:
        start === null
          ? say("With which it was seen to learn in minutes on two cores.")
          : say("In small steps, so that the model forgets little of what it knows."),
      plan: { schedule, learning_rate, warmup, label_smoothing, dropout, weight_decay, beta1, beta2, clip, average, batch_tokens },
    },
    {
      name: "paper",
      title: say("The paper's"),
      meaning: say(
        "Adam, warm-up and inverse root, label smoothing .1, dropout .1, batches by tokens, the mean of the last checkpoints (Vaswani et al. 2017, 5).",
      ),
      plan: {
        ...{ schedule: "noam", learning_rate: 1, warmup: 400, label_smoothing: 0.1, dropout: 0.1, weight_decay: 0, beta1: 0.9, beta2: 0.98 },
        ...{ clip: 0, average: 5, batch_tokens: isPaired(assignment) ? 2000 : 0 },
      },
    },
    {
      name: "gpt",
      title: say("GPT's"),
      meaning: say("AdamW, warm-up and cosine, weight decay .1, no smoothing, as GPT-3 was trained (Brown et al. 2020, B)."),
      plan: {
        ...{ schedule: "cosine", learning_rate: 2e-3, warmup: 100, label_smoothing: 0, dropout: 0, weight_decay: 0.1, beta1: 0.9, beta2: 0.95 },
        ...{ clip: 1, average: 1, batch_tokens: 0 },
      },
    },
    {
      name: "bert",
      title: say("BERT's"),
      meaning: say("AdamW, warm-up and a straight fall, weight decay .01, dropout .1 (Devlin et al. 2018, A.2)."),
      plan: {
        ...{ schedule: "linear", learning_rate: 1e-3, warmup: 100, label_smoothing: 0, dropout: 0.1, weight_decay: 0.01, beta1: 0.9, beta2: 0.999 },
        ...{ clip: 1, average: 1, batch_tokens: 0 },
      },
    },
  ];
}

/** The recipe that the plan follows in all of its fields; null where somebody changed one. */
export function recipeOf(plan: Plan, presets: Presets): Recipe | null {
  const follows = ({ plan: fields }: Recipe) => Object.entries(fields).every(([name, value]) => plan[name as keyof Plan] === value);
  return recipesFor(plan, presets).find(follows) ?? null;
}

/** How a model is fine-tuned: in small steps, so that it forgets little. */
export const GENTLE = { learning_rate: 3e-4, warmup: 20 };

/** The plan of a training as the API or its stream has it, in a form's types; what it lacks is as a first plan has it. */
export function planFrom(given: Readonly<Record<string, unknown>>): Plan {
  const plan: Record<string, unknown> = { ...FIRST_PLAN };
  for (const name of Object.keys(FIRST_PLAN)) if (given[name] !== undefined) plan[name] = given[name];
  return plan as unknown as Plan;
}

/** "Reverse, 2 layers × 4 heads". */
export function planTitle({ assignment }: Pick<Plan, "assignment">): string {
  return TASKS.find(({ name }) => name === assignment)?.title ?? assignment;
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
