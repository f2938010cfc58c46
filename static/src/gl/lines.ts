/**
 * A canvas that draws lines between two columns of places, thousands at once: WebGL2 where the browser has it, else
 * plain 2D with the same look.
 *
 * A line goes up once as four numbers. Where the columns stand, how far they are scrolled and the colours are worked
 * out while drawing, so that scrolling and fading upload nothing.
 */
import { openCanvasLines } from "./lines_canvas";
import { openWebglLines } from "./lines_webgl";
import type { Rgb } from "./ramp";

export interface Lines {
  /** FLOATS_PER_LINE for each line: its place on the left, its place on the right, opacity, lane. */
  values: Float32Array;
  count: number;
}

export interface LineLayer {
  lines: Lines;
  /** Half-open range of the lines that are drawn. */
  range: readonly [number, number];
  /** Times each line's opacity. */
  strength: number;
}

/** Lengths in device pixels from the top left. */
export interface LineColumns {
  left_x: number;
  right_x: number;
  /** The window: a place outside it is drawn at its edge. */
  top: number;
  bottom: number;
  /** The middle of place 0 on each side. */
  left_y: number;
  right_y: number;
  pitch: number;
  /** Lines of different lanes between the same places lie side by side. */
  lane_px: number;
  width_px: number;
}

export interface LinesPicture {
  /** One over the other; at most two. */
  layers: readonly LineLayer[];
  columns: LineColumns;
  /** By lane; at most MOST_LANES. */
  colours: readonly Rgb[];
  paper: Rgb;
}

export interface LinesSurface {
  readonly kind: "webgl2" | "canvas";
  resize(width: number, height: number): void;
  draw(picture: LinesPicture): void;
}

/** `onRestored` is called when a lost context came back and the picture has to be drawn again. */
export function openLines(canvas: HTMLCanvasElement, onRestored: () => void): LinesSurface {
  return openWebglLines(canvas, onRestored) ?? openCanvasLines(canvas);
}
