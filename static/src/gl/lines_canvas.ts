/** The lines without WebGL2: the same curves, stroked one by one. What is faded beneath others is left out. */
import { BEND, FLOATS_PER_LINE, lineEnd } from "./line_shape";
import type { LineLayer, LinesPicture, LinesSurface } from "./lines";

export function openCanvasLines(canvas: HTMLCanvasElement): LinesSurface {
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
      context.fillStyle = `rgb(${picture.paper.join(",")})`;
      context.fillRect(0, 0, canvas.width, canvas.height);
      const top = picture.layers.at(-1);
      if (top) drawLayer(context, top, picture);
    },
  };
}

function drawLayer(context: CanvasRenderingContext2D, layer: LineLayer, { columns, colours }: LinesPicture): void {
  const { values } = layer.lines;
  const { left_x, right_x } = columns;
  // A cubic with its handles at this part of the way bends as the shader's curve does.
  const handle = (right_x - left_x) * 0.5 * BEND;
  context.lineWidth = columns.width_px;
  for (let line = layer.range[0]; line < layer.range[1]; line++) {
    const [left = 0, right = 0, opacity = 0, lane = 0] = values.subarray(line * FLOATS_PER_LINE);
    const from = lineEnd(columns, "left", left, lane, colours.length);
    const to = lineEnd(columns, "right", right, lane, colours.length);
    context.globalAlpha = opacity * layer.strength * Math.min(from.opacity, to.opacity);
    context.strokeStyle = `rgb(${colours[lane]?.join(",") ?? "0,0,0"})`;
    context.beginPath();
    context.moveTo(left_x, from.y);
    context.bezierCurveTo(left_x + handle, from.y, right_x - handle, to.y, right_x, to.y);
    context.stroke();
  }
  context.globalAlpha = 1;
}
