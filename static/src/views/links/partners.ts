/** The tokens at the other ends of one token's lines: how strongly, in which head, and in words. */
import { exactShare, real, share } from "../../dom/numbers";
import { say } from "../../language/say";
import type { ReadingText } from "../../state/reading";
import type { DrawnHead } from "../../state/together";
import type { Side } from "./columns";

/** One token, and for each drawn head the weights of its links; null while they are on their way. */
export interface Focus {
  side: Side;
  index: number;
  kept: boolean;
  heads: (Float32Array | null)[];
  reading: ReadingText;
}

export interface Partner {
  weight: number;
  /** Of the head whose weight this is: the largest. */
  lane: number;
}

const WORTH_NAMING = 0.01;
const NAMED = 5;

/** Of numbers without a bound those are worth a name that are not small beside the largest. */
function worthIn({ heads, reading }: Focus): number {
  if (reading.isShare) return WORTH_NAMING;
  const largest = heads.map((values) => values?.reduce((most, value) => Math.max(most, value), 0) ?? 0);
  return Math.max(Number.MIN_VALUE, WORTH_NAMING * Math.max(...largest));
}

export function partnersOf(focus: Focus): Map<number, Partner> {
  const partners = new Map<number, Partner>();
  const worth = worthIn(focus);
  focus.heads.forEach((values, lane) =>
    values?.forEach((weight, other) => {
      if (weight >= worth && weight > (partners.get(other)?.weight ?? 0)) partners.set(other, { weight, lane });
    }),
  );
  return partners;
}

/** For each head, its strongest links in words: "L1 · H0: ·Quixley 6 .83, ·the 5 .04". */
export function linksInWords(focus: Focus, heads: readonly DrawnHead[], others: readonly string[]): string[] {
  const worth = worthIn(focus);
  const tell = focus.reading.isShare ? share : real;
  return heads.map(({ name }, lane) => {
    const values = focus.heads[lane];
    if (!values) return `${name}: ${say("on its way")}`;
    const strongest = [...values.keys()]
      .filter((index) => (values[index] ?? 0) >= worth)
      .sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0))
      .slice(0, NAMED)
      .map((index) => `${others[index] ?? ""} ${index} ${tell(values[index] ?? 0)}`);
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
export function weightsInWords({ heads: lines, reading }: Focus, heads: readonly DrawnHead[], other: number): string[] {
  return heads.map(({ name }, lane) => {
    const weight = lines[lane]?.[other];
    return `${name}: ${weight === undefined ? say("on its way") : reading.isShare ? exactShare(weight) : real(weight)}`;
  });
}
