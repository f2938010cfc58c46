/** Which tokens of two runs belong together, looked up from either side; and pairs made by hand, as the address has them. */
import type { SequenceName } from "./run";
import type { Frame } from "./view";

export const NOBODY = -1;

/** For each token its partner's place, NOBODY where it has none. */
export type Partners = Int32Array;

const known = new WeakMap<readonly (readonly [number, number])[], { a: Partners; b: Partners }>();

/** Cost: linear in the texts, once for each answer. */
export function partnersOf(
  pairs: readonly (readonly [number, number])[],
  lengthA: number,
  lengthB: number,
): { a: Partners; b: Partners } {
  const ready = known.get(pairs);
  if (ready && ready.a.length === lengthA && ready.b.length === lengthB) return ready;
  const both = { a: new Int32Array(lengthA).fill(NOBODY), b: new Int32Array(lengthB).fill(NOBODY) };
  for (const [a, b] of pairs) {
    both.a[a] = b;
    both.b[b] = a;
  }
  known.set(pairs, both);
  return both;
}

/** Where the other map has to stand for the same tokens to be in sight, as far as its tokens have partners. */
export function frameThrough(frame: Frame | null, rows: Partners, cols: Partners): Frame | null {
  return frame && { row: placeThrough(frame.row, rows), col: placeThrough(frame.col, cols), cell_px: frame.cell_px };
}

function placeThrough(place: number, partners: Partners): number {
  for (let token = Math.min(Math.floor(place), partners.length - 1); token >= 0; token--) {
    const partner = partners[token] ?? NOBODY;
    if (partner !== NOBODY) return partner + (place - token);
  }
  return place;
}

export interface HandPair {
  sequence: SequenceName;
  a: number;
  b: number;
}

/** "decoder.3.4,encoder.0.1" */
export function readPairs(written: string): HandPair[] {
  return written
    .split(",")
    .filter(Boolean)
    .map((pair) => {
      const [sequence, a, b] = pair.split(".");
      return { sequence: sequence as SequenceName, a: Number(a), b: Number(b) };
    });
}

export function writePairs(pairs: readonly HandPair[]): string {
  return pairs.map(({ sequence, a, b }) => `${sequence}.${a}.${b}`).join(",");
}

/** With one pair more; a token has one partner, so what it had gives way. */
export function withPair(pairs: readonly HandPair[], made: HandPair): HandPair[] {
  const others = pairs.filter(({ sequence, a, b }) => sequence !== made.sequence || (a !== made.a && b !== made.b));
  return [...others, made];
}
