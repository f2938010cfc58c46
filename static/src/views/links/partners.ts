/** The tokens at the other ends of one token's lines: how strongly, in which head, and in words. */
import { exactShare, share } from "../../dom/numbers";
import { say } from "../../language/say";
import type { DrawnHead } from "../../state/together";
import type { Side } from "./columns";

/** One token, and for each drawn head the weights of its links; null while they are on their way. */
export interface Focus {
  side: Side;
  index: number;
  kept: boolean;
  heads: (Float32Array | null)[];
}

export interface Partner {
  weight: number;
  /** Of the head whose weight this is: the largest. */
  lane: number;
}

export const WORTH_NAMING = 0.01;
const NAMED = 5;

export function partnersOf({ heads }: Focus): Map<number, Partner> {
  const partners = new Map<number, Partner>();
  heads.forEach((values, lane) =>
    values?.forEach((weight, other) => {
      if (weight >= WORTH_NAMING && weight > (partners.get(other)?.weight ?? 0)) partners.set(other, { weight, lane });
    }),
  );
  return partners;
}

/** For each head, its strongest links in words: "L1 · H0: ·Quixley 6 .83, ·the 5 .04". */
export function linksInWords(focus: Focus, heads: readonly DrawnHead[], others: readonly string[]): string[] {
  return heads.map(({ name }, lane) => {
    const values = focus.heads[lane];
    if (!values) return `${name}: ${say("on its way")}`;
    const strongest = [...values.keys()]
      .filter((index) => (values[index] ?? 0) >= WORTH_NAMING)
      .sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0))
      .slice(0, NAMED)
      .map((index) => `${others[index] ?? ""} ${index} ${share(values[index] ?? 0)}`);
    return `${name}: ${strongest.length ? strongest.join(", ") : say("nothing much")}`;
  });
}

/** "·met, position 4, looks at" or "…, is looked at by". */
export function focusInWords({ side, index }: Focus, name: string): string {
  return side === "rows"
    ? say("{token}, position {n}, looks at", { token: name, n: index })
    : say("{token}, position {n}, is looked at by", { token: name, n: index });
}

/** For each head, the weight between the token in focus and another: "L1 · H0: .8312". */
export function weightsInWords({ heads: lines }: Focus, heads: readonly DrawnHead[], other: number): string[] {
  return heads.map(({ name }, lane) => {
    const weight = lines[lane]?.[other];
    return `${name}: ${weight === undefined ? say("on its way") : exactShare(weight)}`;
  });
}
