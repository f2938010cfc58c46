/** What can be learned: the tasks in groups, with their words, and what each of them asks for. */
import { say } from "../language/say";
import type { Model } from "../wire/http";
import type { AssignmentName } from "../wire/trainings";

export interface Task {
  name: AssignmentName;
  title: string;
  meaning: string;
}

export interface TaskGroup {
  title: string;
  meaning: string;
  tasks: Task[];
}

export const TASK_GROUPS: TaskGroup[] = [
  {
    title: say("Made here"),
    meaning: say("Examples are made up as it learns; there is nothing to bring."),
    tasks: [
      { name: "copy", title: say("Copy"), meaning: say("abc>abc: repeats the letters after the sign.") },
      { name: "reverse", title: say("Reverse"), meaning: say("abc>cba: writes the letters backwards.") },
      { name: "sort", title: say("Sort"), meaning: say("bca>abc: writes the letters in the order of the alphabet.") },
      {
        name: "induction",
        title: say("Induction"),
        meaning: say("qmbqmbqm: says what followed the last time. Heads form that look behind an earlier copy."),
      },
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
        name: "modular",
        title: say("Sums modulo 97"),
        meaning: say("17 + 90 = 10: long after it knows its own sums by heart, it suddenly knows all of them (grokking)."),
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
    ],
  },
  {
    title: say("Here already"),
    meaning: say("Real examples that came with the programs that Headlight is made of."),
    tasks: [
      {
        name: "digits",
        title: say("Handwritten digits"),
        meaning: say("Pictures of 8 × 8 pixels; a vision Transformer says which digit each of them shows."),
      },
      {
        name: "catalogs",
        title: say("Translations"),
        meaning: say("Some seven hundred sentences of Django's own pages, between English and German or French."),
      },
      {
        name: "words",
        title: say("Dictionary"),
        meaning: say("Single words of FreeDict's dictionaries, where the worker's Debian has them installed, letter by letter."),
      },
    ],
  },
  {
    title: say("Your text"),
    meaning: say("A text of yours, pasted or from a file; a tenth of it is kept for tests."),
    tasks: [
      { name: "text", title: say("Next token"), meaning: say("At each place the next token, as GPT learns. Its last tenth is kept for tests.") },
      {
        name: "masked",
        title: say("Hidden tokens"),
        meaning: say("Some tokens are hidden, to be guessed from both sides, as BERT learns."),
      },
      {
        name: "spans",
        title: say("Missing stretches"),
        meaning: say("Stretches are cut out of an encoder's text, and a decoder writes them, as T5 learns."),
      },
      {
        name: "pairs",
        title: say("Pairs"),
        meaning: say("One pair a line: a source, a tab, its target. An encoder reads the first, a decoder writes the second."),
      },
    ],
  },
  {
    title: say("Your pictures"),
    meaning: say("A zip with a folder of pictures for each label."),
    tasks: [
      {
        name: "images",
        title: say("Labelled pictures"),
        meaning: say("A vision Transformer says which label each of your pictures has. They become 32 × 32 pixels."),
      },
    ],
  },
];

export const TASKS: Task[] = TASK_GROUPS.flatMap(({ tasks }) => tasks);

const OF_A_TEXT: readonly AssignmentName[] = ["text", "masked", "spans", "pairs"];
const PAIRED: readonly AssignmentName[] = ["dates", "numbers", "spans", "pairs", "catalogs", "words"];
const OF_PICTURES: readonly AssignmentName[] = ["digits", "images"];

export const learnsText = (task: AssignmentName): boolean => OF_A_TEXT.includes(task);
export const isPaired = (task: AssignmentName): boolean => PAIRED.includes(task);
export const seesPictures = (task: AssignmentName): boolean => OF_PICTURES.includes(task);
export const inTwoLanguages = (task: AssignmentName): boolean => task === "catalogs" || task === "words";
/** Whether its text is cut by a tokenizer that the plan chooses. */
export const choosesTokenizer = (task: AssignmentName): boolean => learnsText(task) || inTwoLanguages(task);
/** Whether each of its sequences is as long as the plan says. */
export const hasLength = (task: AssignmentName): boolean => !seesPictures(task) && !["modular", "dates", "numbers"].includes(task);

/** Whether its decoder may start with heads that lean to the tokens before. */
export const mayLean = (task: AssignmentName): boolean =>
  task === "text" || (startsFrom(task) === null && task !== "modular");

/** The architecture of the models that can go on to learn it; null where it is learned from nothing. */
export function startsFrom(task: AssignmentName): Model["architecture"] | null {
  if (isPaired(task)) return "encoder-decoder";
  if (seesPictures(task)) return "vision";
  if (task === "masked") return "encoder";
  return task === "text" ? "decoder" : null;
}

/** Whether this model can be fine-tuned on the task, as far as the library knows. */
export function canStart(task: AssignmentName, model: Model): boolean {
  if (model.state === "missing" || model.architecture !== startsFrom(task)) return false;
  return seesPictures(task) || (model.output === "vocabulary" && model.has_tokenizer);
}
