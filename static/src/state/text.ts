/**
 * A text and its tokens: where each token lies, and how it is written where space is short.
 *
 * Offsets on the wire count Unicode code points; strings in the browser count UTF-16 units. An emoji is one of the
 * first and two of the second, so every offset goes through `unitIndex`.
 */
import { graphemeStarts, shorten, wordStarts, writesWithoutSpaces } from "../language/letters";

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
    if (end <= start) {
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

/**
 * Pieces put together into words; their texts together stay the text. A word ends at a space, in scripts without spaces
 * where the language ends it. Marks at its edges and special tokens stand alone, marks within it do not.
 * Cost: looks for the borders of all characters and words of the text.
 */
export function joinIntoWords(pieces: readonly Piece[], special: readonly boolean[]): Piece[] {
  const words: Piece[] = [];
  let run: Piece[] = [];
  const close = () => {
    words.push(...wordsOfRun(run));
    run = [];
  };
  for (const piece of pieces) {
    if (special[piece.tokens[0] ?? -1]) {
      close();
      words.push(piece);
    } else run.push(piece);
  }
  close();
  return words;
}

/** Of pieces that follow one another in the text. */
function wordsOfRun(pieces: readonly Piece[]): Piece[] {
  const text = pieces.map((piece) => piece.text).join("");
  const [characters, words] = [graphemeStarts(text), wordStarts(text)];
  const groups: Piece[][] = [];
  let start = 0;
  for (const piece of atStarts(pieces, characters)) {
    const last = groups.at(-1);
    const before = last?.at(-1)?.text ?? " ";
    const isBorder =
      (/\s$/.test(before) && !isSpace(last)) ||
      /^\s/.test(piece.text) ||
      (words.has(start) && (writesWithoutSpaces(before.slice(-1)) || writesWithoutSpaces(piece.text.slice(0, 1))));
    if (last && !isBorder) last.push(piece);
    else groups.push([piece]);
    start += piece.text.length;
  }
  return groups.flatMap(withoutMarksAtEdges).map(together);
}

/** Whether a group is one token of spaces: it belongs to the word that follows. */
function isSpace(group: readonly Piece[] | undefined): boolean {
  return group?.length === 1 && (group[0]?.tokens.length ?? 0) > 0 && /^ +$/.test(group[0]?.text ?? "");
}

/** No piece begins within a character, such as an emoji with its skin tone. */
function atStarts(pieces: readonly Piece[], starts: ReadonlySet<number>): Piece[] {
  const whole: Piece[] = [];
  let start = 0;
  for (const piece of pieces) {
    const last = whole.at(-1);
    if (last && !starts.has(start)) whole[whole.length - 1] = together([last, piece]);
    else whole.push(piece);
    start += piece.text.length;
  }
  return whole;
}

function withoutMarksAtEdges(group: Piece[]): Piece[][] {
  const isMark = (piece: Piece) => /^\s*[\p{P}\p{S}]/u.test(piece.text) && !/[\p{L}\p{N}]/u.test(piece.text);
  const first = group.findIndex((piece) => !isMark(piece));
  if (first < 0) return group.map((piece) => [piece]);
  const end = group.findLastIndex((piece) => !isMark(piece)) + 1;
  const alone = (marks: Piece[]) => marks.map((piece) => [piece]);
  return [...alone(group.slice(0, first)), group.slice(first, end), ...alone(group.slice(end))];
}

function together(pieces: Piece[]): Piece {
  return { text: pieces.map(({ text }) => text).join(""), tokens: pieces.flatMap(({ tokens }) => tokens) };
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
