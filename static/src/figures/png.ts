/** A drawing as PNG at print resolution: drawn on a canvas, in the letters that the page has loaded. */
import type { Drawing, FontName, Mark, TextMark } from "./drawing";
import { PAGE_FAMILIES } from "./fonts";
import type { TextPicture } from "./pdf";

const DOTS_PER_INCH = 300;
const POINTS_PER_INCH = 72;

export async function toPng(drawing: Drawing): Promise<Blob> {
  const scale = DOTS_PER_INCH / POINTS_PER_INCH;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(drawing.width * scale);
  canvas.height = Math.round(drawing.height * scale);
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.scale(scale, scale);
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, drawing.width, drawing.height);
  await document.fonts.ready;
  for (const mark of drawing.marks) draw(context, mark);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large to be drawn."))), "image/png"),
  );
}

function draw(context: CanvasRenderingContext2D, mark: Mark): void {
  context.save();
  switch (mark.kind) {
    case "text":
      context.translate(mark.x, mark.y);
      context.rotate((-(mark.turn_deg ?? 0) * Math.PI) / 180);
      context.font = canvasFont(mark.font, mark.size);
      context.textAlign = mark.anchor === "middle" ? "center" : mark.anchor;
      context.direction = "ltr";
      context.fillStyle = mark.colour;
      context.fillText(mark.text, 0, 0);
      break;
    case "rect":
      context.fillStyle = mark.fill;
      context.fillRect(mark.x, mark.y, mark.width, mark.height);
      break;
    case "line":
      context.globalAlpha = mark.opacity ?? 1;
      context.strokeStyle = mark.colour;
      context.lineWidth = mark.width;
      context.beginPath();
      context.moveTo(mark.x1, mark.y1);
      context.lineTo(mark.x2, mark.y2);
      context.stroke();
      break;
    case "pixels":
      context.imageSmoothingEnabled = false;
      context.drawImage(pixelCanvas(mark.bytes, mark.cols, mark.rows), mark.x, mark.y, mark.width, mark.height);
      break;
  }
  context.restore();
}

export function canvasFont(font: FontName, size: number): string {
  return `${size}px ${PAGE_FAMILIES[font]}`;
}

function pixelCanvas(bytes: Uint8Array, cols: number, rows: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = cols;
  canvas.height = rows;
  const image = new ImageData(cols, rows);
  for (let pixel = 0; pixel < cols * rows; pixel++) {
    image.data.set(bytes.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
    image.data[4 * pixel + 3] = 255;
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/** A text as a picture, for files whose fonts lack its letters. */
export function rasteriseText({ text, font, size, colour }: TextMark): TextPicture {
  const scale = (2 * DOTS_PER_INCH) / POINTS_PER_INCH;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.font = canvasFont(font, size);
  const width = Math.max(0.1, context.measureText(text).width);
  const [height, descent] = [1.5 * size, 0.4 * size];
  canvas.width = Math.ceil(width * scale);
  canvas.height = Math.ceil(height * scale);
  context.scale(scale, scale);
  context.font = canvasFont(font, size);
  context.fillStyle = colour;
  context.fillText(text, 0, height - descent);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const [cols, rows] = [canvas.width, canvas.height];
  return { bytes: Uint8Array.from(data), cols, rows, width: cols / scale, height: rows / scale, descent };
}
