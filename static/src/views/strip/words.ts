/** The elements of one sequence: its text, token by token, with spaces and line ends made visible. */
import { element } from "../../dom/element";
import type { Tokens } from "../../state/run";
import { cutIntoPieces, type Piece } from "../../state/text";

export interface Words {
  root: HTMLElement;
  tokens: HTMLElement[];
}

/**
 * Tokens stand without padding, so that letters join and marks combine across their borders as in the plain text.
 */
export function buildWords(sequence: Tokens, text: string | null): Words {
  const tokens: HTMLElement[] = [];
  const root = element("p", { class: "words", dir: "auto", "data-sequence": sequence.sequence });
  for (const piece of cutIntoPieces(text, sequence)) {
    if (piece.token === null) {
      root.append(...withMarks(piece.text));
      continue;
    }
    const word = buildWord(piece, sequence.special[piece.token] === true);
    tokens[piece.token] = word;
    root.append(word);
  }
  return { root, tokens };
}

function buildWord({ token, text, continues }: Piece, isSpecial: boolean): HTMLElement {
  const name = ["word", isSpecial && "word-special", continues && "word-continues"].filter(Boolean).join(" ");
  const content = continues ? ["‥"] : isSpecial ? [text] : withMarks(text);
  return element("span", { class: name, "data-token": token, title: continues ? "A further token of the character before it" : null }, ...content);
}

function withMarks(text: string): (Node | string)[] {
  return text.split(/( |\t|\r?\n)/).filter(Boolean).flatMap((part): (Node | string)[] => {
    if (part === " ") return [element("span", { class: "mark" }, "·"), element("wbr")];
    if (part === "\t") return [element("span", { class: "mark" }, "⇥"), element("wbr")];
    if (/\n/.test(part)) return [element("span", { class: "mark" }, "⏎"), element("br")];
    return [part];
  });
}
