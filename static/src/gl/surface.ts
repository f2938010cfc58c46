/**
 * A canvas that draws heads' maps as colour: WebGL2 where the browser has it, else plain 2D with the same look.
 *
 * Values go up once as a sheet (a stack of equal maps); a quad places a part of one map on the canvas. Colour,
 * scale, floors and mask are worked out while drawing: a change of scale uploads nothing, one of floors a number a row.
 */
import type { Ramp } from "./ramp";
import type { ScaleName } from "./scale";
import { openCanvasSurface } from "./canvas2d";
import { openWebglSurface } from "./webgl";

export interface Sheet {
  key: string;
  /** The run that it is of. A surface keeps the sheets of one run: a page answers many, and shows one. */
  run: string;
  /** u8: p = gain · (byte / 255)²; f32: p itself. */
  values: Uint8Array | Float32Array;
  width: number;
  height: number;
  layers: number;
}

/** For each row of a sheet's values, what a value must reach to be drawn. */
export interface RowFloors {
  key: string;
  values: Float32Array;
}

export interface Quad {
  sheet: Sheet;
  layer: number;
  /** In device pixels from the top left: x, y, width, height. */
  place: readonly [number, number, number, number];
  /** The part shown, in values of the sheet: left, top, right, bottom. */
  part: readonly [number, number, number, number];
  gain: number;
  /** The weight that takes the last colour. */
  top: number;
  /** Index of the sheet's first value within the map pooled at `cell`. */
  origin: readonly [col: number, row: number];
  cell: number;
  /** A query i sees keys up to i + reach; null where it sees all. */
  reach: number | null;
  /** Where values below a floor are left out. Of one sheet all quads have the same. */
  floors?: RowFloors | null;
}

/**
 * Parts of one sheet that are drawn again and again. They go up when the batch is first in sight and stay there as
 * long as each picture has this very object; what changes is a new batch.
 */
export interface Batch {
  readonly quads: readonly Quad[];
}

export interface Picture {
  /** Beneath the quads. */
  batches?: readonly Batch[];
  /** How far down the batches are moved, in device pixels: all that scrolling changes. */
  shift?: number;
  /** Sent each time. */
  quads: readonly Quad[];
  scale: ScaleName;
  ramp: Ramp;
  /** Values are differences: the middle of the ramp is 0, and of several in one pixel the furthest from 0 is shown. */
  signed?: boolean;
}

export interface Surface {
  readonly kind: "webgl2" | "canvas";
  resize(width: number, height: number): void;
  draw(picture: Picture): void;
}

/** `onRestored` is called when a lost context came back and the picture has to be drawn again. */
export function openSurface(canvas: HTMLCanvasElement, onRestored: () => void): Surface {
  return openWebglSurface(canvas, onRestored) ?? openCanvasSurface(canvas);
}
