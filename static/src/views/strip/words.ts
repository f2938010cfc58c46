/** The elements of one sequence: its text, token by token, with spaces and line ends made visible. */
import { element } from "../../dom/element";
import type { Tokens } from "../../state/run";
import { cutIntoPieces, type Piece } from "../../state/text";

export interface Words {
  root: HTMLElement;
  /** The element of each token; tokens that share a character share its element. */
  tokens: HTMLElement[];
}

/**
 * Tokens stand without padding, so that letters join and marks combine across their borders as in the plain text.
 */
export function buildWords(sequence: Tokens, text: string | null): Words {
  const words: Words = {
    root: element("p", { class: "words", dir: "auto", "data-sequence": sequence.sequence }),
    tokens: [],
  };
  for (const piece of cutIntoPieces(text, sequence)) {
    if (piece.tokens.length === 0) {
      words.root.append(...withMarks(piece.text));
      continue;
    }
    const word = buildWord(piece, sequence.special[piece.tokens[0] ?? 0] === true);
    for (const token of piece.tokens) words.tokens[token] = word;
    words.root.append(word);
  }
  return words;
}

/** The token at a point of its element: tokens that share a character lie side by side in it. */
export function tokenAt(word: HTMLElement, clientX: number): number {
  const first = Number(word.dataset.token);
  const many = Number(word.dataset.tokens ?? 1);
  const { left, width } = word.getBoundingClientRect();
  return first + Math.min(many - 1, Math.max(0, Math.floor(((clientX - left) / Math.max(1, width)) * many)));
}

function buildWord({ tokens, text }: Piece, isSpecial: boolean): HTMLElement {
  const isShared = tokens.length > 1;
  const name = ["token", isSpecial && "token-special", isShared && "token-shared"].filter(Boolean).join(" ");
  const attributes = { class: name, "data-token": tokens[0] ?? 0, "data-tokens": isShared ? tokens.length : null };
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
