/** From a weight to a share of the colour ramp. The shader in shaders.ts says the same in GLSL. */
import { type Ramp, rampColour, type Rgb, ZERO_STEP } from "./ramp";

export type ScaleName = "linear" | "sqrt" | "log";

/** The log scale shows this many powers of ten below its top. */
export const LOG_DECADES = 4;

export function rampShare(weight: number, top: number, scale: ScaleName): number {
  const share = top > 0 ? Math.min(1, Math.max(0, weight / top)) : 0;
  if (scale === "sqrt") return Math.sqrt(share);
  if (scale === "log") return share > 0 ? Math.max(0, 1 + Math.log10(share) / LOG_DECADES) : 0;
  return share;
}

/** The weight at a share of the ramp; the inverse of rampShare. */
export function weightAt(share: number, top: number, scale: ScaleName): number {
  if (scale === "sqrt") return top * share * share;
  if (scale === "log") return top * 10 ** ((share - 1) * LOG_DECADES);
  return top * share;
}

/** The colour of a value, of a share of the ramp or, where values have a sign, of a difference. */
export function colourOf(ramp: Ramp, value: number, top: number, scale: ScaleName, signed = false): Rgb {
  return signed ? signedRampColour(ramp, value, top, scale) : rampColour(ramp, rampShare(value, top, scale));
}

/** The colour of a difference: `top` and `-top` take the ends of a diverging ramp. */
export function signedRampColour(ramp: Ramp, difference: number, top: number, scale: ScaleName): Rgb {
  const share = Math.sign(difference) * rampShare(Math.abs(difference), top, scale);
  const step = Math.round((1 + share) * ZERO_STEP) * 4;
  return [ramp.bytes[step] ?? 0, ramp.bytes[step + 1] ?? 0, ramp.bytes[step + 2] ?? 0];
}
