/** Rows and columns of tokens that have no partner in the other run, hatched: there is nothing to compare them with. */
import { cssColour } from "../../dom/ink";
import { areaInSight, type Plot } from "../../plot/geometry";
import { NOBODY, type Partners } from "../../state/partners";
import type { MapSize } from "../../tiles/cover";

const STEP_PX = 6;

export function drawAlone(context: CanvasRenderingContext2D, plot: Plot, size: MapSize, rows: Partners, cols: Partners): void {
  const inSight = areaInSight(plot, size);
  context.save();
  context.beginPath();
  for (const [start, stop] of runsAlone(rows, inSight.rows))
    context.rect(plot.x, plot.y + (start - plot.row) * plot.cell_px, plot.width, (stop - start) * plot.cell_px);
  for (const [start, stop] of runsAlone(cols, inSight.cols))
    context.rect(plot.x + (start - plot.col) * plot.cell_px, plot.y, (stop - start) * plot.cell_px, plot.height);
  context.clip();
  context.beginPath();
  context.rect(plot.x, plot.y, plot.width, plot.height);
  context.clip();
  context.beginPath();
  for (let x = plot.x - plot.height; x < plot.x + plot.width; x += STEP_PX) {
    context.moveTo(x, plot.y + plot.height);
    context.lineTo(x + plot.height, plot.y);
  }
  context.lineWidth = 1;
  context.strokeStyle = cssColour("--ink-3");
  context.stroke();
  context.restore();
}

/** Half-open, in order. */
export function runsAlone(partners: Partners, [first, last]: readonly [number, number]): [number, number][] {
  const runs: [number, number][] = [];
  for (let place = first; place < last; place++) {
    if (partners[place] !== NOBODY) continue;
    const run = runs.at(-1);
    if (run?.[1] === place) run[1]++;
    else runs.push([place, place + 1]);
  }
  return runs;
}
