/** Where the picture lies on its canvas, and how it is drawn: its pixels, the weights over its patches, the borders. */
import type { HostSize } from "../../dom/canvas";
import { cssColour } from "../../dom/ink";
import type { Ramp } from "../../gl/ramp";
import { colourOf, type ScaleName } from "../../gl/scale";
import { type Patch, patchOf } from "../../state/patches";
import type { Picture } from "../../state/run";
import type { PictureReading } from "./reading";

export interface PicturePlot {
  x: number;
  y: number;
  /** CSS pixels for one of the picture. */
  scale: number;
}

const MARGIN_PX = 12;
/** Narrower patches than this are drawn without borders, which would hide them. */
const LEAST_BORDERED_PX = 6;

export function placePicture({ arrays }: Picture, box: HostSize): PicturePlot {
  const [height = 1, width = 1] = arrays.pixels.shape;
  const scale = Math.max(0.01, Math.min((box.width - 2 * MARGIN_PX) / width, (box.height - 2 * MARGIN_PX) / height));
  return { x: (box.width - width * scale) / 2, y: (box.height - height * scale) / 2, scale };
}

/** The patch under a point, or null beside the picture. */
export function patchUnder({ rows, cols, patch }: Picture, plot: PicturePlot, x: number, y: number): Patch | null {
  const row = Math.floor((y - plot.y) / plot.scale / (patch[0] ?? 1));
  const col = Math.floor((x - plot.x) / plot.scale / (patch[1] ?? 1));
  return row < 0 || col < 0 || row >= rows || col >= cols ? null : { row, col };
}

export interface Look {
  scale: ScaleName;
  ramp: Ramp;
  /** How much the weights cover the picture, 0 to 1. */
  cover: number;
}

export function drawPicture(
  context: CanvasRenderingContext2D,
  plot: PicturePlot,
  bitmap: HTMLCanvasElement,
  { seen, weights, top, shown }: PictureReading,
  { scale, ramp, cover }: Look,
): void {
  context.imageSmoothingEnabled = plot.scale < 1;
  context.drawImage(bitmap, plot.x, plot.y, bitmap.width * plot.scale, bitmap.height * plot.scale);
  for (let token = seen.first; token < weights.length; token++) {
    const [x, y, width, height] = rectangleOf(seen, plot, token);
    const colour = colourOf(ramp, weights[token] ?? 0, top, scale, shown.isSigned);
    context.fillStyle = `rgb(${colour.join(" ")} / ${cover})`;
    context.fillRect(x, y, width, height);
  }
  const [, , width, height] = rectangleOf(seen, plot, seen.first);
  if (Math.min(width, height) >= LEAST_BORDERED_PX) drawBorders(context, seen, plot);
}

/** A frame that stands out on dark and on light. */
export function drawFrame(context: CanvasRenderingContext2D, seen: Picture, plot: PicturePlot, token: number): void {
  if (!patchOf(seen, token)) return;
  const [x, y, width, height] = rectangleOf(seen, plot, token);
  for (const [line, colour] of [
    [4, cssColour("--paper")],
    [2, cssColour("--looks-at")],
  ] as const) {
    context.lineWidth = line;
    context.strokeStyle = colour;
    context.strokeRect(x, y, width, height);
  }
}

/** The pixels as a canvas of their own size. One channel is grey; of others than three, the first is shown so. */
export function bitmapOf({ arrays }: Picture): HTMLCanvasElement {
  const [height = 1, width = 1, channels = 1] = arrays.pixels.shape;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let colour = 0; colour < 3; colour++)
      image.data[4 * pixel + colour] = arrays.pixels.values[channels * pixel + (channels === 3 ? colour : 0)] ?? 0;
    image.data[4 * pixel + 3] = 255;
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

function drawBorders(context: CanvasRenderingContext2D, seen: Picture, plot: PicturePlot): void {
  const { rows, cols } = seen;
  const [left, top, width, height] = rectangleOf(seen, plot, seen.first);
  context.beginPath();
  for (let row = 0; row <= rows; row++) {
    context.moveTo(left, top + row * height);
    context.lineTo(left + cols * width, top + row * height);
  }
  for (let col = 0; col <= cols; col++) {
    context.moveTo(left + col * width, top);
    context.lineTo(left + col * width, top + rows * height);
  }
  context.lineWidth = 1;
  context.strokeStyle = cssColour("--hairline");
  context.globalAlpha = 0.5;
  context.stroke();
  context.globalAlpha = 1;
}

function rectangleOf(seen: Picture, plot: PicturePlot, token: number): [number, number, number, number] {
  const { row, col } = patchOf(seen, token) ?? { row: 0, col: 0 };
  const [height, width] = [(seen.patch[0] ?? 1) * plot.scale, (seen.patch[1] ?? 1) * plot.scale];
  return [plot.x + col * width, plot.y + row * height, width, height];
}

