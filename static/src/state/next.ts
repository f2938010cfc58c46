/**
 * The likely tokens at one position, and where the true one stands among them: what follows, or, for an encoder,
 * which guesses at every place, the token itself.
 */
import type { Probabilities, Tokens } from "../wire/messages";

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
