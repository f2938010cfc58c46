/** Where the heads of a search or an order stand: one after the other, as large as fits, with captions where they do. */
import type { ListedHead } from "../../state/heads";
import { EMPTY_LAYOUT, type GridLayout } from "./layout";

const SMALLEST_PX = 16;
/** Where the list would fit only as smaller maps than this, it scrolls instead. */
const READABLE_PX = 34;
const RIGHT_PX = 12;
const LARGEST_PX = 144;
const GAP_PX = 6;
/** What a frame takes around the outermost cells. */
const EDGE_PX = 2;
export const CAPTION_LINE_PX = 16;
const LETTER_PX = 6.8;
const VALUE_PX = 34;
/** So short a list keeps its captions even where it has to scroll for them. */
const MOST_CAPTIONED = 24;

/** The length of the longest name, and of the longest kind of attention where it is said, in letters. */
export interface CaptionLetters {
  name: number;
  kind: number;
}

/** A list in its own order, as large as fits. */
export function layOutList(
  heads: readonly ListedHead[],
  letters: CaptionLetters,
  width: number,
  height: number,
): GridLayout {
  const room = Math.max(SMALLEST_PX, width - RIGHT_PX - EDGE_PX);
  const { columns, cell_px, captions, line_px } = listSizes(heads.length, letters, room, height);
  const cells = heads.map(({ site, head }, index) => ({
    site,
    head,
    x: (index % columns) * (cell_px + GAP_PX) + EDGE_PX,
    y: Math.floor(index / columns) * line_px + EDGE_PX,
  }));
  const lines = Math.ceil(heads.length / columns);
  const step_px = cell_px + GAP_PX;
  const total = lines * line_px + EDGE_PX;
  return { ...EMPTY_LAYOUT, cells, cell_px, step_px, line_px, flows: true, captions, height: total };
}

type ListSizes = Pick<GridLayout, "cell_px" | "captions" | "line_px"> & { columns: number };

/** The fewest columns with which the list fits in height; where none does, the smallest readable maps, and it scrolls. */
function listSizes(count: number, letters: CaptionLetters, room: number, height: number): ListSizes {
  let sizes: ListSizes | null = null;
  for (let columns = 1; ; columns++) {
    const fitting = Math.floor((room + GAP_PX) / columns) - GAP_PX;
    if (sizes && fitting < READABLE_PX) return sizes;
    const cell_px = Math.max(SMALLEST_PX, Math.min(LARGEST_PX, fitting));
    const captions = captionsFor(cell_px, letters);
    if (sizes && sizes.captions !== "none" && captions === "none" && count <= MOST_CAPTIONED) return sizes;
    const below = { none: 0, line: CAPTION_LINE_PX, "two lines": 2 * CAPTION_LINE_PX }[captions];
    const line_px = cell_px + below + GAP_PX;
    sizes = { columns, cell_px, captions, line_px };
    if (Math.ceil(count / columns) * line_px + EDGE_PX <= height) return sizes;
  }
}

/** One line says kind, name and value; of two, the first says the name. */
function captionsFor(cell_px: number, letters: CaptionLetters): GridLayout["captions"] {
  const [name, kind] = [letters.name * LETTER_PX, letters.kind * LETTER_PX];
  if (cell_px >= kind + name + VALUE_PX) return "line";
  return cell_px >= Math.max(name, kind + VALUE_PX) ? "two lines" : "none";
}
