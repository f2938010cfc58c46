/** The line above the tokens: which token, what it looks at most, who looks at it most, and how to let go. */
import { element } from "../../dom/element";
import { share } from "../../dom/numbers";
import { say } from "../../language/say";
import type { Line } from "../../tiles/links";

export interface CaptionSide {
  line: Line;
  /** Along the line: what each unit is called, and the position of its first token. */
  names: readonly string[];
  positions: readonly number[];
}

interface CaptionToken {
  token: string;
  position: string;
  locked: boolean;
  /** How the numbers came about, where they are not one token's in one head. */
  notes: string[];
}

export interface Caption extends CaptionToken {
  head: string;
  looksAt: CaptionSide | null;
  lookedBy: CaptionSide | null;
  /** With a kept token: the one that the pointer is on. */
  pointed: { token: string; at: number | null; by: number | null } | null;
}

export interface HeadsCaption extends CaptionToken {
  heads: { name: string; colour: `--${string}`; looksAt: CaptionSide | null; lookedBy: CaptionSide | null }[];
}

const NAMED = 4;
/** With several heads, each has room for its strongest link. */
const NAMED_OF_EACH = 1;
const WORTH_NAMING = 0.01;

export function captionParts(caption: Caption): (Node | string)[] {
  const { looksAt, lookedBy, pointed } = caption;
  return [
    ...tokenParts(caption),
    ...(looksAt ? side("role-at", say("looks at"), looksAt) : []),
    ...(lookedBy ? side("role-by", say("looked at by"), lookedBy) : []),
    !looksAt && !lookedBy && element("span", {}, say("{head} does not work on this text", { head: caption.head })),
    pointed && element("span", { class: "pointed" }, say("this one: "), named(pointed.token), ...pointedParts(pointed)),
    [looksAt, lookedBy].some((part) => part?.line.exact === false) && element("span", {}, say("from the overview")),
    ...endParts(caption),
  ].filter((part): part is HTMLElement => part !== false && part !== null);
}

/** The heads by colour and name, each with its strongest link. */
export function headsParts(caption: HeadsCaption): Node[] {
  const heads = caption.heads.map(({ name, colour, looksAt, lookedBy }) =>
    element(
      "span",
      { class: "caption-head" },
      element("span", { class: "swatch", style: `background: var(${colour})` }),
      `${name} `,
      ...(looksAt ? [element("span", { class: "role-at" }, say("looks at")), " ", ...linkParts(looksAt, NAMED_OF_EACH)] : []),
      ...(!looksAt && lookedBy
        ? [element("span", { class: "role-by" }, say("looked at by")), " ", ...linkParts(lookedBy, NAMED_OF_EACH)]
        : []),
    ),
  );
  return [...tokenParts(caption), ...heads, ...endParts(caption)];
}

function tokenParts({ token, position }: CaptionToken): HTMLElement[] {
  return [
    element("span", { class: "token-name token-strong", dir: "auto" }, token),
    element("span", {}, say("position {n}", { n: position })),
  ];
}

function endParts({ notes, locked }: CaptionToken): HTMLElement[] {
  return [
    ...notes.map((note) => element("span", { class: "caption-note" }, note)),
    ...(locked ? [element("span", { class: "kept" }, "kept, Esc lets go")] : []),
  ];
}

/** The strongest first; none that is not worth a name. */
export function strongest(weights: Float32Array, many = NAMED): number[] {
  return [...weights.keys()]
    .filter((index) => (weights[index] ?? 0) >= WORTH_NAMING)
    .sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0))
    .slice(0, many);
}

function side(role: string, verb: string, line: CaptionSide): HTMLElement[] {
  return [element("span", { class: role }, verb), element("span", { class: "links" }, ...linkParts(line, NAMED))];
}

function linkParts({ line, names, positions }: CaptionSide, many: number): (HTMLElement | string)[] {
  const links = strongest(line.values, many).map((index) =>
    element(
      "span",
      { class: "link" },
      named(names[index] ?? String(index)),
      element("sub", {}, String(positions[index] ?? index)),
      ` ${share(line.values[index] ?? 0)}`,
    ),
  );
  return links.length ? links : [say("nothing much")];
}

function pointedParts({ at, by }: NonNullable<Caption["pointed"]>): Node[] {
  const parts: Node[] = [];
  if (at !== null) parts.push(element("span", { class: "role-at" }, share(at)));
  if (by) parts.push(element("span", { class: "role-by" }, share(by)));
  return parts;
}

function named(text: string): HTMLElement {
  return element("span", { class: "token-name", dir: "auto" }, text);
}
