/**
 * What of the lens is shown: the positions in its window, and each cell as it is read and drawn.
 */
import { say } from "../language/say";
import type { LensReading } from "../wire/lens";
import type { KeptLens } from "../wire/shares";
import type { Run, SequenceName } from "./run";
import type { TokenRef } from "./view";

/** A few more than fit beside the map; each costs a product with the whole vocabulary in every layer. */
export const WINDOW = 16;
/** Windows begin at multiples of this, so that the same ones come again. */
const STEP = 8;

export interface LensRange {
  sequence: SequenceName;
  /** Of the whole sequence. */
  length: number;
  positions: readonly [number, number];
  /** Where the others cannot be asked for: those that can. */
  kept?: readonly [number, number];
}

/**
 * The window that shows a token: the one before where the token is in it, else one with the token in its middle. Without
 * a token the end of the text, where a model's next word is. Of a picture the class token alone. A share begins with the
 * window that was shared, and does not leave what it keeps.
 */
export function lensRange(
  run: Run,
  token: TokenRef | null,
  before: LensRange | null,
  shared: Pick<KeptLens, "positions" | "kept"> | null = null,
): LensRange | null {
  const sequence: SequenceName = run.sequences.decoder ? "decoder" : "encoder";
  const tokens = run.sequences[sequence];
  if (!tokens?.texts.length) return null;
  const length = run.picture ? 1 : tokens.texts.length;
  const isSameText = before?.sequence === sequence && before.length === length;
  const kept = shared?.kept ?? ([0, length] as const);
  const index = token?.sequence === sequence && isIn(kept, token.index) ? token.index : null;
  if (isSameText && before && (index === null || isIn(before.positions, index))) return before;
  if (shared && (index === null || isIn(shared.positions, index))) return { sequence, length, positions: shared.positions, kept };
  const wished = index === null ? length - WINDOW : index - WINDOW / 2;
  const start = Math.max(0, Math.min(Math.ceil(wished / STEP) * STEP, Math.ceil((length - WINDOW) / STEP) * STEP));
  const [first, last] = kept;
  const positions = [Math.max(first, start), Math.min(last, start + WINDOW)] as const;
  return { sequence, length, positions, ...(shared ? { kept } : {}) };
}

/** The window next to this one, half of it the same; null at the end of the text. */
export function besides(range: LensRange, direction: -1 | 1): LensRange | null {
  const [start, stop] = range.positions;
  const [first, last] = range.kept ?? [0, range.length];
  if (direction < 0 ? start <= first : stop >= last) return null;
  const begin = Math.max(first, start + direction * STEP);
  return { ...range, positions: [begin, Math.min(last, begin + WINDOW)] };
}

function isIn([start, stop]: readonly [number, number], index: number): boolean {
  return start <= index && index < stop;
}

export interface Guess {
  id: number;
  text: string;
  probability: number;
}

export interface LensCell {
  position: number;
  guesses: readonly Guess[];
  /** null where nobody knows what is true. A rank of 0 is the likeliest. */
  truth: (Guess & { rank: number }) | null;
}

/** A row of the table; `depth` counts the layers that the stream has been through. */
export interface LensRow {
  depth: number;
  cells: readonly LensCell[];
}

/** The rows as they stand: what the model says on top, what enters it at the foot. */
export function lensRows({ layers, truth, texts, positions }: LensReading): LensRow[] {
  const textOf = (id: number) => texts[id] ?? `#${id}`;
  const rows = layers.map((layer) => ({
    depth: layer.depth,
    cells: layer.ids.map((ids, place): LensCell => {
      const id = truth[place] ?? null;
      const rank = layer.truth_ranks[place] ?? null;
      const guesses = ids.map((guess, order) => ({
        id: guess,
        text: textOf(guess),
        probability: layer.probabilities[place]?.[order] ?? 0,
      }));
      const known = id !== null && rank !== null;
      return {
        position: positions[0] + place,
        guesses,
        truth: known ? { id, text: textOf(id), probability: layer.truth_probabilities[place] ?? 0, rank } : null,
      };
    }),
  }));
  return rows.reverse();
}

/** How the true token stands in a cell: named, among the guesses, further down, or unknown. */
export function standing({ truth, guesses }: LensCell): "first" | "among" | "behind" | "unknown" {
  if (!truth) return "unknown";
  if (truth.rank === 0) return "first";
  return truth.rank < guesses.length ? "among" : "behind";
}

/** "in", "L0", "L1": heads call their layers so. */
export function depthName(depth: number): string {
  return depth === 0 ? say("in") : `L${depth - 1}`;
}
