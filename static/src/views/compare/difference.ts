/** The difference of two maps as colour, and as numbers with their sign where there is room. */
import { FONT } from "../../dom/ink";
import { signedShare } from "../../dom/numbers";
import { luminance, type Ramp } from "../../gl/ramp";
import { type ScaleName, signedRampColour } from "../../gl/scale";
import type { Quad } from "../../gl/surface";
import { areaInSight, type Plot } from "../../plot/geometry";
import { clippedQuad } from "../../plot/picture";
import type { Site } from "../../state/run";
import { cellFor, coveringTiles, type MapSize } from "../../tiles/cover";
import type { Differences } from "../../tiles/differences";
import type { HeadMap, Weights } from "../../tiles/rectangles";
import { weightsSheet } from "../../tiles/sheets";

const NUMBERED_PX = 38;
const SMALLEST_WRITTEN = 0.01;
/** Black on a colour lighter than this, white on a darker one: both then reach 4.5:1. */
const MIDDLE_LUMINANCE = 0.18;
/** Where nothing has changed no colour shall say that something has. */
const SMALLEST_TOP = 0.05;

export function differencePicture(
  site: Site,
  map: HeadMap,
  plot: Plot,
  ratio: number,
  differences: Differences,
  isLeftOut: (col: number) => boolean,
  mayCross: boolean,
): { quads: Quad[]; top: number } {
  const size: MapSize = { rows: site.queries, cols: site.keys };
  const tiles = coveringTiles(size, areaInSight(plot, size), cellFor(plot.cell_px * ratio));
  differences.want("difference", map, tiles);
  const arrived = tiles.flatMap((tile) => differences.get(map, tile) ?? []);
  const top = Math.max(SMALLEST_TOP, ...arrived.map((weights) => furthest(weights, isLeftOut)));
  // Where pairs cross, a key that comes later in the first run may be seen in the second.
  const reach = site.causal && !mayCross ? site.keys - site.queries : null;
  const quads = arrived.map((weights): Quad => ({
    layer: 0,
    gain: 1,
    top,
    reach,
    sheet: weightsSheet(map, weights),
    ...clippedQuad(plot, size, ratio, weights),
    origin: [weights.cols[0] / weights.cell, weights.rows[0] / weights.cell],
    cell: weights.cell,
  }));
  return { quads, top };
}

/** Of a rectangle, but for columns that are left out of the scale; a pooled column counts by its first token. */
function furthest({ values, width, cols, cell }: Weights, isLeftOut: (col: number) => boolean): number {
  let most = 0;
  for (let col = 0; col < width; col++) {
    if (isLeftOut(cols[0] + col * cell)) continue;
    for (let at = col; at < values.length; at += width) most = Math.max(most, Math.abs(values[at] ?? 0));
  }
  return most;
}

export function drawDifferences(
  context: CanvasRenderingContext2D,
  plot: Plot,
  size: MapSize,
  ramp: Ramp,
  top: number,
  scale: ScaleName,
  differenceAt: (row: number, col: number) => number | null,
): void {
  if (plot.cell_px < NUMBERED_PX) return;
  const { rows, cols } = areaInSight(plot, size);
  context.save();
  context.beginPath();
  context.rect(plot.x, plot.y, plot.width, plot.height);
  context.clip();
  context.font = FONT.small;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let row = rows[0]; row < rows[1]; row++) {
    for (let col = cols[0]; col < cols[1]; col++) {
      const difference = differenceAt(row, col);
      if (difference === null || Math.abs(difference) < SMALLEST_WRITTEN) continue;
      const isLight = luminance(signedRampColour(ramp, difference, top, scale)) > MIDDLE_LUMINANCE;
      context.fillStyle = isLight ? "#000" : "#fff";
      const x = plot.x + (col + 0.5 - plot.col) * plot.cell_px;
      context.fillText(signedShare(difference), x, plot.y + (row + 0.5 - plot.row) * plot.cell_px);
    }
  }
  context.restore();
}
