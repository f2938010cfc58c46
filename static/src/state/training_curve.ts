/**
 * The steps of a training as columns of numbers that grow. A curve is a length over buffers that it may share with
 * longer ones: appending to the longest writes in place, appending to a cut one copies first, so no curve ever changes.
 */
import type { Progress } from "../wire/messages";

export type ColumnName = "loss" | "learning_rate" | "gradient_norm";

interface Buffers {
  steps: Float64Array;
  loss: Float32Array;
  learning_rate: Float32Array;
  gradient_norm: Float32Array;
  used: number;
}

export interface Curve {
  readonly length: number;
  readonly buffers: Buffers;
}

const FIRST_ROOM = 1024;

export const EMPTY_CURVE: Curve = { length: 0, buffers: buffersFor(0) };

export function stepsOf({ buffers, length }: Curve): Float64Array {
  return buffers.steps.subarray(0, length);
}

export function columnOf({ buffers, length }: Curve, name: ColumnName): Float32Array {
  return buffers[name].subarray(0, length);
}

/** The last step that was told of, 0 before the first. */
export function lastStep({ buffers, length }: Curve): number {
  return length > 0 ? (buffers.steps[length - 1] ?? 0) : 0;
}

/** What of it was told up to a step. */
export function cutAfter(curve: Curve, step: number): Curve {
  let length = curve.length;
  while (length > 0 && (curve.buffers.steps[length - 1] ?? 0) > step) length--;
  return length === curve.length ? curve : { ...curve, length };
}

export function append(curve: Curve, { arrays }: Progress): Curve {
  const added = arrays.steps.values.length;
  const length = curve.length + added;
  const buffers = roomFor(curve, length);
  buffers.steps.set(arrays.steps.values, curve.length);
  buffers.loss.set(arrays.loss.values, curve.length);
  buffers.learning_rate.set(arrays.learning_rate.values, curve.length);
  buffers.gradient_norm.set(arrays.gradient_norm.values, curve.length);
  buffers.used = length;
  return { length, buffers };
}

function roomFor(curve: Curve, length: number): Buffers {
  const { buffers } = curve;
  if (buffers.used === curve.length && length <= buffers.steps.length) return buffers;
  const grown = buffersFor(Math.max(FIRST_ROOM, length, 2 * curve.length));
  grown.steps.set(stepsOf(curve));
  for (const name of ["loss", "learning_rate", "gradient_norm"] as const) grown[name].set(columnOf(curve, name));
  return grown;
}

function buffersFor(room: number): Buffers {
  return {
    steps: new Float64Array(room),
    loss: new Float32Array(room),
    learning_rate: new Float32Array(room),
    gradient_norm: new Float32Array(room),
    used: 0,
  };
}
