/**
 * The likely tokens at one position, and where the true one stands among them: what follows, or, for an encoder,
 * which guesses at every place, the token itself.
 */
import { say } from "../language/say";
import type { Model } from "../wire/http";
import type { Probabilities, Tokens } from "../wire/messages";

/** What the likely tokens are likely for: a decoder's come next, an encoder guesses the token that stands there. */
export function nextTitle(model: Pick<Model, "architecture"> | null): { panel: string; tab: string } {
  if (model?.architecture === "encoder") return { panel: say("Guesses at this place"), tab: say("Guesses") };
  if (model?.architecture === "vision") return { panel: say("Classes"), tab: say("Classes") };
  return { panel: say("Next tokens"), tab: say("Next tokens") };
}

/** Where an encoder must guess, because the text hides the token: [MASK], <mask>. */
export function isMask({ texts, special }: Pick<Tokens, "texts" | "special">, position: number): boolean {
  return special[position] === true && /^\W*mask\W*$/i.test(texts[position] ?? "");
}

/** The place that is shown while none is pointed at: the first that is hidden, else the last. */
export function placeOfRest(next: Probabilities, tokens: Tokens | undefined): number {
  const masked = next.sequence === "encoder" && tokens ? tokens.texts.findIndex((_, place) => isMask(tokens, place)) : -1;
  return masked < 0 ? (next.arrays.ids.shape[0] ?? 1) - 1 : masked;
}

export interface Candidate {
  id: number;
  text: string;
  probability: number;
}

export interface NextTokens {
  candidates: Candidate[];
  /** null at the end of the text; a rank of null is beyond the candidates that were sent. */
  truth: { id: number; text: string; rank: number | null } | null;
}

export function nextAt(next: Probabilities, tokens: Tokens | undefined, position: number): NextTokens {
  const [, many = 0] = next.arrays.ids.shape;
  const candidates = Array.from({ length: many }, (_, rank) => {
    const id = next.arrays.ids.values[position * many + rank] ?? 0;
    return {
      id,
      text: next.texts[id] ?? `⟨${id}⟩`,
      probability: next.arrays.probabilities.values[position * many + rank] ?? 0,
    };
  });
  const place = next.sequence === "encoder" ? position : position + 1;
  const id = tokens?.arrays.ids.values[place];
  if (id === undefined) return { candidates, truth: null };
  const rank = candidates.findIndex((candidate) => candidate.id === id);
  return { candidates, truth: { id, text: tokens?.texts[place] ?? "", rank: rank < 0 ? null : rank } };
}
