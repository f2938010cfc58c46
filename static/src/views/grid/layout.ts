/**
 * Where each head's map stands in the whole grid. A line is a layer; a layer with too many heads takes several lines.
 * A list of heads has its places from list.ts.
 */
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
  /** Line by line, from left to right; equal steps within a line. */
  cells: GridCell[];
  cell_px: number;
  /** From one cell of a line to the next. */
  step_px: number;
  /** From one line to the next; a layer of several lines stands apart from the next. */
  line_px: number;
  /** Whether the order goes on from line to line, or a line is a layer. */
  flows: boolean;
  titles: GridText[];
  layers: GridText[];
  heads: GridText[];
  /** Beneath the cells of a list, where they are large enough. */
  captions: "none" | "line" | "two lines";
  height: number;
}

export const EMPTY_LAYOUT: GridLayout = {
  cells: [],
  cell_px: 1,
  step_px: 1,
  line_px: 1,
  flows: false,
  titles: [],
  layers: [],
  heads: [],
  captions: "none",
  height: 0,
};

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

/** All heads, a line for each layer. */
export function layOut(
  groups: readonly SiteGroup[],
  headsOf: (site: string) => number,
  width: number,
  height: number,
): GridLayout {
  const most = Math.max(1, ...groups.flatMap(({ sites }) => sites.map(headsOf)));
  const room = Math.max(SMALLEST_PX, width - LAYER_GUTTER_PX - RIGHT_PX);
  const fitting = Math.floor(room / most) - GAP_PX;
  const fittingHeight = cellForHeight(groups, height);
  const cell_px = Math.min(LARGEST_PX, Math.max(SMALLEST_PX, Math.min(fitting, Math.max(READABLE_PX, fittingHeight))));
  const line_px = cell_px + GAP_PX;
  const perLine = Math.max(1, Math.min(most, Math.floor(room / line_px)));
  const layout: GridLayout = { ...EMPTY_LAYOUT, cells: [], titles: [], layers: [], heads: [], cell_px, step_px: line_px, line_px };
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
            y: y + line * line_px + cell_px / 2,
          });
        layout.cells.push({ site, head, x: LAYER_GUTTER_PX + (head % perLine) * line_px, y: y + line * line_px });
      }
      y += Math.max(1, Math.ceil(headsOf(site) / perLine)) * line_px + (isWrapped ? 2 * GAP_PX : 0);
    }
    y += GROUP_GAP_PX;
  }
  layout.height = Math.max(0, y - GROUP_GAP_PX);
  return layout;
}

/** The cell with which all layers stand in a height, one line each. */
function cellForHeight(groups: readonly SiteGroup[], height: number): number {
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
