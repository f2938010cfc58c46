/** The maps of the grid as batches for the surface, one for each site, made again only when their site or place changed. */
import type { Batch, Quad } from "../../gl/surface";
import { type Run, sequencesOf, type Site } from "../../state/run";
import { overviewSheet } from "../../tiles/sheets";
import { topsOf } from "../../tiles/tops";
import type { GridCell, GridLayout } from "./layout";

interface Made {
  from: readonly unknown[];
  batch: Batch;
}

export interface GridBatches {
  /** `sink` says whether the first token counts for the colour scale. */
  of(layout: GridLayout, run: Run, sink: boolean, ratio: number): Batch[];
}

export function openGridBatches(): GridBatches {
  let placed: { layout: GridLayout; cells: Map<string, GridCell[]> } | null = null;
  let made = new Map<string, Made>();
  return {
    of(layout, run, sink, ratio) {
      if (placed?.layout !== layout) placed = { layout, cells: cellsBySite(layout) };
      const next = new Map<string, Made>();
      for (const [name, cells] of placed.cells) {
        const site = run.sites.get(name);
        if (!site) continue;
        const keys = run.sequences[sequencesOf(site).columns];
        const from = [site, cells, keys, sink, ratio, run.id];
        const known = made.get(name);
        const isSame = known?.from.every((input, place) => Object.is(input, from[place]));
        if (known && isSame) next.set(name, known);
        else next.set(name, { from, batch: batchOf(site, cells, topsOf(site, keys, sink), run, layout, ratio) });
      }
      made = next;
      return [...made.values()].map(({ batch }) => batch);
    },
  };
}

function batchOf(
  site: Site,
  cells: readonly GridCell[],
  tops: Float32Array,
  run: Run,
  { cell_px }: GridLayout,
  ratio: number,
): Batch {
  const [, rows = 0, cols = 0] = site.arrays.overview.shape;
  const px = (cell_px * ratio) / Math.max(rows, cols);
  const sheet = overviewSheet(run.id ?? "", site);
  const quads = cells.map(
    ({ head, x, y }): Quad => ({
      sheet,
      layer: head,
      place: [Math.round(x * ratio), Math.round(y * ratio), px * cols, px * rows],
      part: [0, 0, cols, rows],
      gain: site.arrays.scale.values[head] ?? 0,
      top: tops[head] ?? 1,
      origin: [0, 0],
      cell: site.cell,
      reach: site.causal ? site.keys - site.queries : null,
    }),
  );
  return { quads };
}

function cellsBySite({ cells }: GridLayout): Map<string, GridCell[]> {
  const sites = new Map<string, GridCell[]>();
  for (const cell of cells) {
    const others = sites.get(cell.site);
    if (others) others.push(cell);
    else sites.set(cell.site, [cell]);
  }
  return sites;
}
