/** How strongly a token is shaded, and what the strip's caption says. Pure, so that it can be tested without a page. */
import { share } from "../../dom/numbers";

/** Weaker links than this, of the strongest shown, stay unshaded: a page of faint tints tells nothing. */
const FAINTEST = 0.03;

/** 0 to 1 for each weight, square root of its part of the strongest; the eye finds faint links, order is kept. */
export function shades(weights: Float32Array, skip: (index: number) => boolean): Float32Array {
  let strongest = 0;
  for (let index = 0; index < weights.length; index++) {
    if (!skip(index)) strongest = Math.max(strongest, weights[index] ?? 0);
  }
  return weights.map((weight) => {
    const part = strongest > 0 ? Math.min(1, weight / strongest) : 0;
    return part < FAINTEST ? 0 : Math.sqrt(part);
  });
}

/** The strongest links in words: "Mary .61, John .17". */
export function strongest(weights: Float32Array, texts: readonly string[], many: number): string {
  return [...weights.keys()]
    .sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0))
    .slice(0, many)
    .filter((index) => (weights[index] ?? 0) > 0.01)
    .map((index) => `${texts[index] ?? index} ${share(weights[index] ?? 0)}`)
    .join(", ");
}
