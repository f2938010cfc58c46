/** What lies over the map's colours: the pointed row and column, and the numbers once a weight is wide enough. */
import { FONT, cssColour } from "../dom/ink";
import { share } from "../dom/numbers";
import { luminance, type Ramp } from "../gl/ramp";
import { colourOf, type ScaleName } from "../gl/scale";
import type { Site } from "../state/run";
import { areaInSight, type Plot } from "./geometry";
import type { AxisMarks } from "./axes";
import type { Reading } from "./reading";

const NUMBERED_PX = 34;
/** Smaller weights are left to the hover: a field of zeros tells nothing. */
const SMALLEST_WRITTEN = 0.01;
/** Black on a colour lighter than this, white on a darker one: both then reach 4.5:1. */
const MIDDLE_LUMINANCE = 0.18;

export function drawNumbers(
  context: CanvasRenderingContext2D,
  plot: Plot,
  site: Site,
  top: number,
  scale: ScaleName,
  ramp: Ramp,
  weightAt: (row: number, col: number) => Reading,
  tell: (value: number) => string = share,
  signed = false,
): void {
  if (plot.cell_px < NUMBERED_PX) return;
  const { rows, cols } = areaInSight(plot, { rows: site.queries, cols: site.keys });
  // Weights are shares of 1; other readings have no such bound.
  const smallest = tell === share ? 1 : top;
  context.save();
  context.beginPath();
  context.rect(plot.x, plot.y, plot.width, plot.height);
  context.clip();
  context.font = FONT.small;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let row = rows[0]; row < rows[1]; row++) {
    for (let col = cols[0]; col < cols[1]; col++) {
      const { weight, exact, drawn } = weightAt(row, col);
      if (Math.abs(weight) < SMALLEST_WRITTEN * smallest || !exact || !drawn) continue;
      const colour = colourOf(ramp, weight, top, scale, signed);
      context.fillStyle = luminance(colour) > MIDDLE_LUMINANCE ? "#000" : "#fff";
      context.fillText(
        tell(weight),
        plot.x + (col + 0.5 - plot.col) * plot.cell_px,
        plot.y + (row + 0.5 - plot.row) * plot.cell_px,
      );
    }
  }
  context.restore();
}

export function drawCrosshair(
  context: CanvasRenderingContext2D,
  plot: Plot,
  marks: AxisMarks,
): void {
  context.lineWidth = 1;
  context.strokeStyle = cssColour("--hairline");
  context.strokeRect(plot.x - 0.5, plot.y - 0.5, plot.width + 1, plot.height + 1);
  context.save();
  context.beginPath();
  context.rect(plot.x - 1, plot.y - 1, plot.width + 2, plot.height + 2);
  context.clip();
  const x = (col: number) => plot.x + (col - plot.col) * plot.cell_px;
  const y = (row: number) => plot.y + (row - plot.row) * plot.cell_px;
  const side = Math.max(1, plot.cell_px);
  if (marks.row !== null) {
    context.strokeStyle = cssColour("--looks-at");
    context.strokeRect(plot.x, Math.round(y(marks.row)) + 0.5, plot.width, Math.round(side) - 1);
  }
  if (marks.col !== null) {
    context.strokeStyle = cssColour("--looked-by");
    context.strokeRect(Math.round(x(marks.col)) + 0.5, plot.y, Math.round(side) - 1, plot.height);
  }
  if (marks.row !== null && marks.col !== null) {
    context.lineWidth = 2;
    context.strokeStyle = cssColour("--ink");
    context.strokeRect(x(marks.col), y(marks.row), side, side);
  }
  context.restore();
}
