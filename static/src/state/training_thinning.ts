/** Curves of any length as a few thousand points that look the same: smoothed first, then each stretch's extremes. */

export interface Points {
  x: Float64Array;
  y: Float64Array;
}

/**
 * A running mean in which the last steps count most; 0 is none, near 1 is much.
 * Source: exponential moving average with the correction of its start, Kingma and Ba 2015 (Adam), section 3.
 */
export function smooth(values: ArrayLike<number>, amount: number): Float64Array {
  const smoothed = Float64Array.from(values);
  if (amount <= 0) return smoothed;
  let mean = 0;
  let weight = 0;
  for (let index = 0; index < smoothed.length; index++) {
    mean = amount * mean + (1 - amount) * (values[index] ?? 0);
    weight = amount * weight + (1 - amount);
    smoothed[index] = mean / weight;
  }
  return smoothed;
}

/** At most `most` points: of each stretch of steps its lowest and its highest, so that no spike is lost. */
export function thin(x: ArrayLike<number>, y: ArrayLike<number>, most: number): Points {
  const length = Math.min(x.length, y.length);
  if (length <= most) return { x: Float64Array.from(x).subarray(0, length), y: Float64Array.from(y).subarray(0, length) };
  const stretches = Math.max(1, Math.floor((most - 2) / 2));
  const kept: number[] = [0];
  for (let stretch = 0; stretch < stretches; stretch++) {
    const from = 1 + Math.floor(((length - 2) * stretch) / stretches);
    const to = 1 + Math.floor(((length - 2) * (stretch + 1)) / stretches);
    if (to <= from) continue;
    let [low, high] = [from, from];
    for (let index = from + 1; index < to; index++) {
      if ((y[index] ?? 0) < (y[low] ?? 0)) low = index;
      if ((y[index] ?? 0) > (y[high] ?? 0)) high = index;
    }
    kept.push(Math.min(low, high));
    if (low !== high) kept.push(Math.max(low, high));
  }
  kept.push(length - 1);
  return { x: Float64Array.from(kept, (index) => x[index] ?? 0), y: Float64Array.from(kept, (index) => y[index] ?? 0) };
}
