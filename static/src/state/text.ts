/**
 * A text and its tokens: where each token lies, and how it is written where space is short.
 *
 * Offsets on the wire count Unicode code points; strings in the browser count UTF-16 units. An emoji is one of the
 * first and two of the second, so every offset goes through `unitIndex`.
 */
import { shorten } from "../language/letters";

export interface Piece {
  text: string;
  /**
   * None for text between tokens, which the tokenizer dropped; several where byte-level tokens share a character,
   * as in an emoji or a letter beyond Latin. Such a character is one piece, so that letters still join.
   */
  tokens: number[];
}

interface TokenTexts {
  readonly texts: readonly string[];
  readonly special: readonly boolean[];
  readonly arrays: { readonly offsets: { readonly values: Int32Array } };
}

/** The whole text in order, cut at the tokens' borders. Without the text, the tokens' own texts. */
export function cutIntoPieces(text: string | null, tokens: TokenTexts): Piece[] {
  if (text === null) return tokens.texts.map((own, token) => ({ text: own, tokens: [token] }));
  const units = unitIndex(text);
  const pieces: Piece[] = [];
  let last: Piece | undefined;
  let reached = 0;
  for (let token = 0; token < tokens.texts.length; token++) {
    const start = units(tokens.arrays.offsets.values[2 * token] ?? 0);
    const end = units(tokens.arrays.offsets.values[2 * token + 1] ?? 0);
    if (tokens.special[token] || end <= start) {
      pieces.push({ text: tokens.texts[token] ?? "", tokens: [token] });
    } else if (end <= reached && last) {
      last.tokens.push(token);
    } else {
      if (start > reached) pieces.push({ text: text.slice(reached, start), tokens: [] });
      last = { text: text.slice(Math.max(start, reached), end), tokens: [token] };
      pieces.push(last);
      reached = end;
    }
  }
  if (reached < text.length) pieces.push({ text: text.slice(reached), tokens: [] });
  return pieces;
}

/** From code points to UTF-16 units. Cost: linear in the text, once, and only if it needs it. */
export function unitIndex(text: string): (codePoint: number) => number {
  if (!/[\ud800-\udbff]/.test(text)) return (codePoint) => Math.min(codePoint, text.length);
  const starts: number[] = [];
  let unit = 0;
  for (const character of text) {
    starts.push(unit);
    unit += character.length;
  }
  return (codePoint) => starts[codePoint] ?? text.length;
}

/** Spaces, line ends and tabs as marks that can be seen. */
export function visible(text: string): string {
  return text.replace(/ /g, "·").replace(/\r?\n/g, "⏎").replace(/\t/g, "⇥");
}

/** Characters of the longest name of a token. */
export const LONGEST_NAME = 18;

/** How a token is named outside its text: visible spaces, cut in its middle where it is long. */
export function tokenName(text: string): string {
  return shorten(visible(text), LONGEST_NAME);
}

/** Names of all tokens. A byte of a character is called by the character and its place in it: "🙂 2/4". */
export function tokenNames(text: string | null, tokens: TokenTexts): string[] {
  const names = tokens.texts.map(tokenName);
  for (const { text: shared, tokens: parts } of cutIntoPieces(text, tokens)) {
    if (parts.length > 1)
      parts.forEach((token, place) => (names[token] = `${tokenName(shared)} ${place + 1}/${parts.length}`));
  }
  return names;
}
