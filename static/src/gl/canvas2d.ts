/** The surface without WebGL2: the same pixels, worked out one by one. */
import { rampShare, signedRampColour } from "./scale";
import type { Picture, Quad, Surface } from "./surface";

export function openCanvasSurface(canvas: HTMLCanvasElement): Surface {
  const context = canvas.getContext("2d", { alpha: false });
  return {
    kind: "canvas",
    resize(width, height) {
      if (canvas.width === width && canvas.height === height) return;
      canvas.width = width;
      canvas.height = height;
    },
    draw(picture) {
      if (!context) return;
      context.fillStyle = `rgb(${picture.ramp.paper.join(",")})`;
      context.fillRect(0, 0, canvas.width, canvas.height);
      for (const { quads } of picture.batches ?? [])
        for (const quad of quads) drawQuad(context, quad, picture, picture.shift);
      for (const quad of picture.quads) drawQuad(context, quad, picture);
    },
  };
}

function drawQuad(context: CanvasRenderingContext2D, quad: Quad, picture: Picture, shift = 0): void {
  const { canvas } = context;
  const left = Math.round(quad.place[0]);
  const top = Math.round(quad.place[1] + shift);
  const right = Math.round(quad.place[0] + quad.place[2]);
  const bottom = Math.round(quad.place[1] + quad.place[3] + shift);
  const [x0, y0] = [Math.max(0, left), Math.max(0, top)];
  const [x1, y1] = [Math.min(canvas.width, right), Math.min(canvas.height, bottom)];
  if (x1 <= x0 || y1 <= y0) return;
  const image = context.createImageData(x1 - x0, y1 - y0);
  const columns = spans(quad.part[0], quad.part[2], right - left, x0 - left, x1 - left);
  const rows = spans(quad.part[1], quad.part[3], bottom - top, y0 - top, y1 - top);
  let target = 0;
  for (const row of rows) {
    for (const column of columns) {
      const colour = colourOf(quad, row, column, picture);
      image.data[target] = colour[0] ?? 0;
      image.data[target + 1] = colour[1] ?? 0;
      image.data[target + 2] = colour[2] ?? 0;
      image.data[target + 3] = 255;
      target += 4;
    }
  }
  context.putImageData(image, x0, y0);
}

/** For each pixel the values it covers, first to last. */
function spans(from: number, to: number, pixels: number, start: number, end: number): [number, number][] {
  const step = (to - from) / pixels;
  const lastValue = Math.ceil(to) - 1;
  // The margin keeps a value that only touches the pixel's border out of it.
  const half = step >= 1 ? step / 2 - 1e-3 : 0;
  return Array.from({ length: end - start }, (_, index) => {
    const middle = from + (start + index + 0.5) * step;
    const first = Math.min(Math.max(0, Math.floor(middle - half)), lastValue);
    return [first, Math.min(Math.max(first, Math.floor(middle + half)), lastValue)];
  });
}

function colourOf(
  quad: Quad,
  [top, bottom]: [number, number],
  [left, right]: [number, number],
  { ramp, scale, signed = false }: Picture,
) {
  const { sheet, layer, cell, origin, reach, floors } = quad;
  const firstKey = (origin[0] + left) * cell;
  const lastQuery = (origin[1] + bottom + 1) * cell - 1;
  if (reach !== null && firstKey > lastQuery + reach) return ramp.masked;
  let most = 0;
  for (let y = top; y <= bottom; y++) {
    const start = (layer * sheet.height + y) * sheet.width;
    const floor = floors?.values[y] ?? 0;
    for (let x = left; x <= right; x++) {
      const value = sheet.values[start + x] ?? 0;
      if (signed ? Math.abs(value) > Math.abs(most) : value > most && value >= floor) most = value;
    }
  }
  const weight = sheet.values instanceof Uint8Array ? quad.gain * (most / 255) ** 2 : most;
  if (signed) return signedRampColour(ramp, weight, quad.top, scale);
  const step = Math.round(rampShare(weight, quad.top, scale) * 255) * 4;
  return ramp.bytes.subarray(step, step + 3);
}
