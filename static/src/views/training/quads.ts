/** One head's map of a snapshot as a quad for the surface. */
import type { Quad } from "../../gl/surface";
import { overviewSheet } from "../../tiles/sheets";
import type { Site } from "../../state/run";

/** `place` in CSS pixels: left, top, and the room that the longer side fills. */
export function headQuad(
  run: string,
  site: Site,
  head: number,
  [x, y, width, height]: readonly [number, number, number, number],
  ratio: number,
): Quad {
  const [, rows = 1, cols = 1] = site.arrays.overview.shape;
  const cell = Math.min(width / cols, height / rows);
  return {
    sheet: overviewSheet(run, site),
    layer: head,
    place: [Math.round(x * ratio), Math.round(y * ratio), cell * cols * ratio, cell * rows * ratio],
    part: [0, 0, cols, rows],
    gain: site.arrays.scale.values[head] ?? 0,
    top: 1,
    origin: [0, 0],
    cell: site.cell,
    reach: site.causal ? site.keys - site.queries : null,
  };
}
