/** The likely next tokens after one position, and where the token that really follows stands among them. */
import type { Probabilities, Tokens } from "../wire/messages";

export interface Candidate {
  id: number;
  text: string;
  probability: number;
}

export interface NextTokens {
  candidates: Candidate[];
  /** null at the end of the text; a rank of null is beyond the candidates that were sent. */
  follower: { id: number; text: string; rank: number | null } | null;
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
  const id = tokens?.arrays.ids.values[position + 1];
  if (id === undefined) return { candidates, follower: null };
  const rank = candidates.findIndex((candidate) => candidate.id === id);
  return { candidates, follower: { id, text: tokens?.texts[position + 1] ?? "", rank: rank < 0 ? null : rank } };
}
