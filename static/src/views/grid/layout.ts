/** Where each head's map stands in the grid. A line is a layer; a layer with too many heads takes several lines. */
import type { SiteGroup } from "../../state/sites";

export interface GridCell {
  site: string;
  head: number;
  x: number;
  y: number;
}

export interface GridText {
  text: string;
  x: number;
  y: number;
}

export interface GridLayout {
  cells: GridCell[];
  cell_px: number;
  titles: GridText[];
  layers: GridText[];
  heads: GridText[];
  height: number;
}

const LAYER_GUTTER_PX = 28;
const HEADS_GUTTER_PX = 18;
const TITLE_PX = 26;
const GROUP_GAP_PX = 14;
const GAP_PX = 3;
const SMALLEST_PX = 16;
const LARGEST_PX = 64;
/** Where all layers would fit in height only as smaller maps than this, the grid scrolls instead. */
const READABLE_PX = 34;
const RIGHT_PX = 12;

export function layOut(
  groups: SiteGroup[],
  headsOf: (site: string) => number,
  width: number,
  height: number,
): GridLayout {
  const most = Math.max(1, ...groups.flatMap(({ sites }) => sites.map(headsOf)));
  const room = Math.max(SMALLEST_PX, width - LAYER_GUTTER_PX - RIGHT_PX);
  const fitting = Math.floor(room / most) - GAP_PX;
  const fittingHeight = cellForHeight(groups, height);
  const cell_px = Math.min(LARGEST_PX, Math.max(SMALLEST_PX, Math.min(fitting, Math.max(READABLE_PX, fittingHeight))));
  const perLine = Math.max(1, Math.min(most, Math.floor(room / (cell_px + GAP_PX))));
  const layout: GridLayout = { cells: [], cell_px, titles: [], layers: [], heads: [], height: 0 };
  let y = 0;
  for (const group of groups) {
    if (group.title) {
      layout.titles.push({ text: group.title, x: 0, y });
      y += TITLE_PX;
    }
    const isWrapped = perLine < most;
    if (!isWrapped) {
      numberHeads(layout, perLine, y);
      y += HEADS_GUTTER_PX;
    }
    for (const [layer, site] of group.sites.entries()) {
      layout.layers.push({ text: `L${layer}`, x: 0, y: y + cell_px / 2 });
      for (let head = 0; head < headsOf(site); head++) {
        const line = Math.floor(head / perLine);
        if (isWrapped && line > 0 && head % perLine === 0)
          layout.heads.push({
            text: `+${head}`,
            x: LAYER_GUTTER_PX / 2 - 2,
            y: y + line * (cell_px + GAP_PX) + cell_px / 2,
          });
        layout.cells.push({
          site,
          head,
          x: LAYER_GUTTER_PX + (head % perLine) * (cell_px + GAP_PX),
          y: y + line * (cell_px + GAP_PX),
        });
      }
      y += Math.max(1, Math.ceil(headsOf(site) / perLine)) * (cell_px + GAP_PX) + (isWrapped ? 2 * GAP_PX : 0);
    }
    y += GROUP_GAP_PX;
  }
  layout.height = Math.max(0, y - GROUP_GAP_PX);
  return layout;
}

export function cellAt({ cells, cell_px }: GridLayout, x: number, y: number): GridCell | null {
  return (
    cells.find(
      (cell) => x >= cell.x && x < cell.x + cell_px + GAP_PX && y >= cell.y && y < cell.y + cell_px + GAP_PX,
    ) ?? null
  );
}

/** The head one step away in the grid, or the same at its border. */
export function neighbour({ cells }: GridLayout, from: GridCell, dx: number, dy: number): GridCell {
  if (dx !== 0) {
    const index = cells.indexOf(from) + dx;
    const next = cells[index];
    return next && next.site === from.site ? next : from;
  }
  const beyond = cells.filter(({ y }) => (dy > 0 ? y > from.y : y < from.y));
  const nearest = (a: GridCell, b: GridCell) =>
    Math.abs(a.y - from.y) - Math.abs(b.y - from.y) || Math.abs(a.x - from.x) - Math.abs(b.x - from.x);
  return beyond.sort(nearest)[0] ?? from;
}

/** The cell with which all layers stand in a height, one line each. */
function cellForHeight(groups: SiteGroup[], height: number): number {
  const lines = groups.reduce((sum, { sites }) => sum + sites.length, 0);
  const furniture = groups.reduce(
    (sum, { title }) => sum + HEADS_GUTTER_PX + (title ? TITLE_PX : 0) + GROUP_GAP_PX,
    -GROUP_GAP_PX,
  );
  return Math.floor((height - furniture) / Math.max(1, lines)) - GAP_PX;
}

function numberHeads(layout: GridLayout, perLine: number, y: number): void {
  for (let head = 0; head < perLine; head++) {
    layout.heads.push({
      text: String(head),
      x: LAYER_GUTTER_PX + head * (layout.cell_px + GAP_PX) + layout.cell_px / 2,
      y: y + HEADS_GUTTER_PX / 2,
    });
  }
}
