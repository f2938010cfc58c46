/** The line above the tokens: which token, what it looks at most, who looks at it most, and how to let go. */
import { element } from "../../dom/element";
import { real, share } from "../../dom/numbers";
import { say } from "../../language/say";
import type { Line } from "../../tiles/links";

export interface CaptionSide {
  line: Line;
  /** Along the line: what each unit is called, and the position of its first token. */
  names: readonly string[];
  positions: readonly number[];
}

/** How a number is told, and from which on it is worth a name: weights are shares, other readings are not. */
export interface Telling {
  tell(value: number): string;
  worth(values: Float32Array): number;
}

const SHARES: Telling = { tell: share, worth: () => WORTH_NAMING };
/** Of numbers without a bound those are worth a name that are not small beside the largest. */
const NUMBERS: Telling = {
  tell: real,
  worth: (values) => Math.max(Number.MIN_VALUE, WORTH_NAMING * values.reduce((most, value) => Math.max(most, value), 0)),
};

interface CaptionToken {
  /** Whether numbers are shares of a row. */
  areShares: boolean;
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
  /** Whether nothing tells the numbers until they are here, not even an overview. */
  areAwaited: boolean;
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
  const telling = caption.areShares ? SHARES : NUMBERS;
  const { looksAt, lookedBy, pointed } = caption;
  return [
    ...tokenParts(caption),
    ...(looksAt ? side("role-at", say("looks at"), looksAt, telling) : []),
    ...(lookedBy ? side("role-by", say("looked at by"), lookedBy, telling) : []),
    !looksAt && !lookedBy && element("span", {}, say("{head} does not work on this text", { head: caption.head })),
    pointed && element("span", { class: "pointed" }, say("this one: "), named(pointed.token), ...pointedParts(pointed, telling)),
    [looksAt, lookedBy].some((part) => part?.line.exact === false) &&
      element("span", {}, caption.areAwaited ? say("on its way") : say("from the overview")),
    ...endParts(caption),
  ].filter((part): part is HTMLElement => part !== false && part !== null);
}

/** The heads by colour and name, each with its strongest link. */
export function headsParts(caption: HeadsCaption): Node[] {
  const telling = caption.areShares ? SHARES : NUMBERS;
  const heads = caption.heads.map(({ name, colour, looksAt, lookedBy }) =>
    element(
      "span",
      { class: "caption-head" },
      element("span", { class: "swatch", style: `background: var(${colour})` }),
      `${name} `,
      ...(looksAt ? [element("span", { class: "role-at" }, say("looks at")), " ", ...linkParts(looksAt, NAMED_OF_EACH, telling)] : []),
      ...(!looksAt && lookedBy
        ? [element("span", { class: "role-by" }, say("looked at by")), " ", ...linkParts(lookedBy, NAMED_OF_EACH, telling)]
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
    ...(locked ? [element("span", { class: "kept" }, say("kept, Esc lets go"))] : []),
  ];
}

/** The strongest first; none that is not worth a name. */
export function strongest(weights: Float32Array, many = NAMED, worth = WORTH_NAMING): number[] {
  return [...weights.keys()]
    .filter((index) => (weights[index] ?? 0) >= worth)
    .sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0))
    .slice(0, many);
}

function side(role: string, verb: string, line: CaptionSide, telling: Telling): HTMLElement[] {
  return [element("span", { class: role }, verb), element("span", { class: "links" }, ...linkParts(line, NAMED, telling))];
}

function linkParts({ line, names, positions }: CaptionSide, many: number, telling: Telling): (HTMLElement | string)[] {
  const links = strongest(line.values, many, telling.worth(line.values)).map((index) =>
    element(
      "span",
      { class: "link" },
      named(names[index] ?? String(index)),
      element("sub", {}, String(positions[index] ?? index)),
      ` ${telling.tell(line.values[index] ?? 0)}`,
    ),
  );
  return links.length ? links : [say("nothing much")];
}

function pointedParts({ at, by }: NonNullable<Caption["pointed"]>, { tell }: Telling): Node[] {
  const parts: Node[] = [];
  if (at !== null) parts.push(element("span", { class: "role-at" }, tell(at)));
  if (by) parts.push(element("span", { class: "role-by" }, tell(by)));
  return parts;
}

function named(text: string): HTMLElement {
  return element("span", { class: "token-name", dir: "auto" }, text);
}
