/**
 * A threshold by mass, not by value: of each row the strongest weights that together hold a share of it, the rest
 * left out. A row that looks widely keeps many, a sharp one few, and neither vanishes.
 *
 * What a row keeps is said by one number, its floor: a weight that reaches it is kept.
 */
import type { RowFloors } from "../gl/surface";
import type { Weights } from "./rectangles";

/** As in modelcore's floors: weights that rounding alone may put below the weakest are kept with it. */
const ROUNDING = 1e-3;

const sorted = new WeakMap<Weights, Map<number, RowFloors>>();
const known = new WeakMap<Weights, Map<string, Weights>>();

/** The floors of a rectangle that holds whole rows. Cost: sorts each row, once a mass. */
export function floorsOf(weights: Weights, mass: number): RowFloors {
  const made = sorted.get(weights) ?? new Map<number, RowFloors>();
  sorted.set(weights, made);
  let floors = made.get(mass);
  if (!floors) {
    const { height, width } = weights;
    const values = Float32Array.from({ length: height }, (_, row) => {
      return floorOf(weights.values.subarray(row * width, (row + 1) * width), mass) * (1 - ROUNDING);
    });
    floors = { key: String(mass), values };
    made.set(mass, floors);
  }
  return floors;
}

/** The same rectangle with 0 for what is left out. It must hold whole rows. */
export function strongestOf(weights: Weights, mass: number): Weights {
  return mass >= 1 ? weights : keptOf(weights, floorsOf(weights, mass));
}

/** The same rectangle with 0 for what is below the floors of its rows. Worked out once for each key of floors. */
export function keptOf(weights: Weights, { key, values: floors }: RowFloors): Weights {
  const made = known.get(weights) ?? new Map<string, Weights>();
  known.set(weights, made);
  let kept = made.get(key);
  if (!kept) {
    kept = { ...weights, values: aboveFloors(weights.values, weights.width, floors) };
    made.set(key, kept);
  }
  return kept;
}

/** Row by row, with 0 for what is below the row's floor. */
export function aboveFloors(values: Float32Array, width: number, floors: Float32Array): Float32Array {
  return values.map((weight, index) => (weight >= (floors[Math.floor(index / width)] ?? 0) ? weight : 0));
}

/**
 * For each cell of some rows the least of their floors: where the largest weight of a pooled cell is below it, each
 * weight of the cell is below its own. Rows without weights, whose floor is 0, have no say;
 * rows whose floor is not known yet are below all.
 */
export function leastFloors(floors: Float32Array, cell: number): Float32Array {
  if (cell === 1) return floors;
  return Float32Array.from({ length: Math.ceil(floors.length / cell) }, (_, index) => {
    const some = floors.subarray(index * cell, (index + 1) * cell).filter((floor) => floor !== 0);
    return some.length ? Math.min(...some) : 0;
  });
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
