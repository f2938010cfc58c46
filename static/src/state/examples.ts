/** What a model's card says of the text or the picture that a run reads. */
import type { Example } from "../wire/http";
import type { Run } from "./run";
import { type HeadRef, isSameHead } from "./sites";

/** The example that this run reads. */
export function exampleOf({ text, target, picture }: Run, examples: readonly Example[], selection: HeadRef | null): Example | null {
  const isRead = (example: Example) =>
    picture ? example.picture === picture : example.text === text && example.target === (target ?? "");
  const read = examples.filter(isRead);
  // One text may show several heads: the one in sight decides.
  return read.find((example) => isSameHead(example, selection)) ?? read[0] ?? null;
}

/** The head that the card points at: for this text, else for its first example. */
export function pointedHead({ text, picture }: Run, examples: readonly Example[]): HeadRef | null {
  const isRead = (example: Example) => (picture ? example.picture === picture : example.text === text);
  return examples.find(isRead) ?? examples[0] ?? null;
}
