/** The elements of one sequence: its text, token by token or word by word, with spaces and line ends made visible. */
import { element } from "../../dom/element";
import { say } from "../../language/say";
import type { Tokens } from "../../state/run";
import { cutIntoPieces, joinIntoWords, type Piece, tokenName } from "../../state/text";

/** What stands as one on the strip: a token, or the tokens of a word. */
export interface Unit {
  tokens: number[];
  name: string;
  /** Tokens that share a character share its element. */
  element: HTMLElement;
}

export interface Words {
  root: HTMLElement;
  units: Unit[];
  /** For each token the index of its unit. */
  unitOf: number[];
}

/**
 * Tokens stand without padding, so that letters join and marks combine across their borders as in the plain text.
 * `names` are those of the tokens; at the `border` the second text of a pair begins.
 */
export function buildWords(
  sequence: Tokens,
  text: string | null,
  names: readonly string[],
  areWhole: boolean,
  border: number | null = null,
): Words {
  const words: Words = {
    root: element("p", { class: "words", dir: "auto", "data-sequence": sequence.sequence }),
    units: [],
    unitOf: [],
  };
  const add = (unit: Unit) => {
    for (const token of unit.tokens) words.unitOf[token] = words.units.length;
    words.units.push(unit);
  };
  const pieces = cutIntoPieces(text, sequence);
  for (const piece of areWhole ? joinIntoWords(pieces, sequence.special) : pieces) {
    if (piece.tokens.length === 0) {
      words.root.append(...withMarks(piece.text));
      continue;
    }
    if (border !== null && piece.tokens.includes(border)) words.root.append(secondText());
    const isSpecial = sequence.special[piece.tokens[0] ?? 0] === true;
    const node = areWhole ? buildWhole(piece, isSpecial) : buildToken(piece, isSpecial);
    words.root.append(node);
    if (areWhole) add({ tokens: piece.tokens, name: tokenName(piece.text), element: node });
    else for (const token of piece.tokens) add({ tokens: [token], name: names[token] ?? "", element: node });
  }
  return words;
}

/** The token at a point of its element: tokens that share a character lie side by side in it; of a word, its last. */
export function tokenAt(node: HTMLElement, clientX: number): number {
  const first = Number(node.dataset.token);
  const many = Number(node.dataset.tokens ?? 1);
  const { left, width } = node.getBoundingClientRect();
  return first + Math.min(many - 1, Math.max(0, Math.floor(((clientX - left) / Math.max(1, width)) * many)));
}

function secondText(): HTMLElement {
  return element("span", { class: "second-text" }, say("Second text"));
}

function buildToken({ tokens, text }: Piece, isSpecial: boolean): HTMLElement {
  const isShared = tokens.length > 1;
  const name = ["token", isSpecial && "token-special", isShared && "token-shared"].filter(Boolean).join(" ");
  const attributes = { class: name, "data-token": tokens[0] ?? 0, "data-tokens": isShared ? tokens.length : null };
  return element("span", attributes, ...(isSpecial ? [text] : withMarks(text)));
}

function buildWhole({ tokens, text }: Piece, isSpecial: boolean): HTMLElement {
  const attributes = { class: isSpecial ? "token token-special" : "token", "data-token": tokens.at(-1) ?? 0 };
  return element("span", attributes, ...(isSpecial ? [text] : withMarks(text)));
}

function withMarks(text: string): (Node | string)[] {
  return text
    .split(/( |\t|\r?\n)/)
    .filter(Boolean)
    .flatMap((part): (Node | string)[] => {
      if (part === " ") return [element("wbr"), element("span", { class: "mark" }, "·")];
      if (part === "\t") return [element("span", { class: "mark" }, "⇥"), element("wbr")];
      if (/\n/.test(part)) return [element("span", { class: "mark" }, "⏎"), element("br")];
      return [part];
    });
}
