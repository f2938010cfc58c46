/** The line above the tokens: which token, what it looks at most, who looks at it most, and how to let go. */
import { element } from "../../dom/element";
import { share } from "../../dom/numbers";
import type { Line } from "../../tiles/links";

export interface CaptionSide {
  line: Line;
  /** Of the sequence that the line runs along. */
  names: readonly string[];
}

export interface Caption {
  token: string;
  position: number;
  head: string;
  looksAt: CaptionSide | null;
  lookedBy: CaptionSide | null;
  locked: boolean;
  /** With a kept token: the one that the pointer is on. */
  pointed: { token: string; at: number | null; by: number | null } | null;
}

const NAMED = 4;
const WORTH_NAMING = 0.01;

export function captionParts(caption: Caption): (Node | string)[] {
  const { looksAt, lookedBy, pointed } = caption;
  return [
    element("span", { class: "token-name token-strong", dir: "auto" }, caption.token),
    element("span", {}, `position ${caption.position}`),
    ...(looksAt ? side("role-at", "looks at", looksAt) : []),
    ...(lookedBy ? side("role-by", "looked at by", lookedBy) : []),
    !looksAt && !lookedBy && element("span", {}, `${caption.head} does not work on this text`),
    pointed && element("span", { class: "pointed" }, "this one: ", named(pointed.token), ...pointedParts(pointed)),
    [looksAt, lookedBy].some((part) => part?.line.exact === false) && element("span", {}, "from the overview"),
    caption.locked && element("span", { class: "kept" }, "kept, Esc lets go"),
  ].filter((part): part is HTMLElement => part !== false && part !== null);
}

/** The strongest first; none that is not worth a name. */
export function strongest(weights: Float32Array, many = NAMED): number[] {
  return [...weights.keys()]
    .filter((index) => (weights[index] ?? 0) >= WORTH_NAMING)
    .sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0))
    .slice(0, many);
}

function side(role: string, verb: string, { line, names }: CaptionSide): HTMLElement[] {
  const links = strongest(line.values).map((index) =>
    element(
      "span",
      { class: "link" },
      named(names[index] ?? String(index)),
      element("sub", {}, String(index)),
      ` ${share(line.values[index] ?? 0)}`,
    ),
  );
  return [
    element("span", { class: role }, verb),
    element("span", { class: "links" }, ...(links.length ? links : ["nothing much"])),
  ];
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
