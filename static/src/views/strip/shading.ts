/** How strongly a token is shaded. */

/** Where even the strongest link is weaker than this, all stay faint: a tint must not make a trifle look large. */
export const LEAST_TOP = 0.1;
/** Weaker links than this, of the strongest shown, stay unshaded: a page of faint tints tells nothing. */
const FAINTEST = 0.03;

/** A broad head links to everything; its strongest links say enough, and each tint costs time to draw. */
const MOST_SHADED = 100;

/** 0 to 1 for each weight, square root of its part of the strongest, so that faint links can be found. */
export function shades(weights: Float32Array, skip: (index: number) => boolean, leastTop = LEAST_TOP): Float32Array {
  let strongest = leastTop;
  for (let index = 0; index < weights.length; index++) {
    if (!skip(index)) strongest = Math.max(strongest, weights[index] ?? 0);
  }
  const faintest = Math.max(strongest * FAINTEST, [...weights].sort((a, b) => b - a)[MOST_SHADED] ?? 0);
  return weights.map((weight) => (weight <= Math.max(0, faintest) ? 0 : Math.sqrt(Math.min(1, weight / strongest))));
}
