/**
 * A threshold by mass, not by value: of each row the strongest weights that together hold a share of it, the rest
 * left out. A row that looks widely keeps many, a sharp one few, and neither vanishes.
 */
import type { Weights } from "./rectangles";

const known = new WeakMap<Weights, Map<number, Weights>>();

/** The same rectangle with 0 for what is left out. It must hold whole rows. Cost: sorts each row, once a mass. */
export function strongestOf(weights: Weights, mass: number): Weights {
  if (mass >= 1) return weights;
  const made = known.get(weights) ?? new Map<number, Weights>();
  known.set(weights, made);
  let strongest = made.get(mass);
  if (!strongest) {
    const values = new Float32Array(weights.values.length);
    for (let start = 0; start < values.length; start += weights.width) {
      const row = weights.values.subarray(start, start + weights.width);
      const least = floorOf(row, mass);
      row.forEach((weight, col) => (values[start + col] = weight >= least ? weight : 0));
    }
    strongest = { ...weights, values, mass };
    made.set(mass, strongest);
  }
  return strongest;
}

/** The weakest weight of a row that is still needed to hold this share of the row. */
export function floorOf(row: Float32Array, mass: number): number {
  const falling = Float32Array.from(row).sort().reverse();
  const wanted = mass * falling.reduce((sum, weight) => sum + weight, 0);
  let held = 0;
  for (const weight of falling) {
    held += weight;
    if (held >= wanted) return weight;
  }
  return 0;
}
