/**
 * Several heads on one token, each a thin bar in its colour: above the token what is looked at, below it who looks, one
 * under the other in the order of the heads, as long as the link is strong.
 */
export interface Stripe {
  colour: `--${string}`;
  /** The place of its head among those drawn. */
  lane: number;
  role: "at" | "by";
  /** 0 to 1: the part of the token's width. */
  length: number;
}

export const STRIPE_PX = 3;

/** The value of a token's CSS background. */
export function stripesBackground(stripes: readonly Stripe[]): string {
  return stripes
    .map(({ colour, lane, role, length }) => {
      const place = role === "at" ? `top ${lane * STRIPE_PX}px` : `bottom ${lane * STRIPE_PX}px`;
      const size = `${Math.round(length * 100)}% ${STRIPE_PX - 1}px`;
      return `linear-gradient(var(${colour}), var(${colour})) left 0 ${place} / ${size} no-repeat`;
    })
    .join(", ");
}
