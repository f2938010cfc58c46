/** All heads of a share as its page brings them along: drawn at once, and there until the grid itself has drawn. */
import { clearedContext } from "../../dom/canvas";
import { element } from "../../dom/element";
import { openCanvasSurface } from "../../gl/canvas2d";
import type { Ramp } from "../../gl/ramp";
import type { Quad, Sheet } from "../../gl/surface";
import { groupSites } from "../../state/sites";
import type { View } from "../../state/view";
import type { FirstHeads } from "../../state/sharing";
import { drawGridInk } from "./ink";
import { type GridCell, type GridLayout, layOut } from "./layout";

export interface FirstPicture {
  sites: number;
  leave(): void;
}

type Seen = Pick<View, "site" | "head" | "picked">;

/** Null where the panel is not in sight. */
export function drawFirstHeads(host: HTMLElement, first: FirstHeads, ramp: Ramp, seen: Seen): FirstPicture | null {
  const heat = element("canvas", { class: "layer" });
  const ink = element("canvas", { class: "layer" });
  const spacer = element("div", { class: "grid-spacer" });
  const scroller = element("div", { class: "grid-scroller" }, element("div", { class: "grid-window" }, heat, ink), spacer);
  const cover = element(
    "div",
    { class: "heads-body grid-first", "aria-hidden": "true" },
    element("div", { class: "grid-find" }),
    element("div", { class: "grid-place" }, scroller),
  );
  host.append(cover);
  const { clientHeight: height } = scroller;
  if (height === 0) {
    cover.remove();
    return null;
  }
  const sites = new Map(first.sites.map((site) => [site.site, site]));
  const groups = groupSites(sites.keys());
  const arrange = () => layOut(groups, (site) => sites.get(site)?.heads ?? 0, scroller.clientWidth, height);
  spacer.style.height = `${Math.max(0, arrange().height - height)}px`;
  // Once more: where it scrolls, the bar takes some of the width.
  const layout = arrange();
  const width = scroller.clientWidth;
  const ratio = window.devicePixelRatio || 1;

  const surface = openCanvasSurface(heat);
  surface.resize(Math.round(width * ratio), Math.round(height * ratio));
  surface.draw({ quads: quadsOf(layout, first, ratio), scale: "sqrt", ramp });
  const cellOf = ({ site, head }: { site: string | null; head: number }): GridCell | null =>
    layout.cells.find((cell) => cell.site === site && cell.head === head) ?? null;
  const marks = {
    selected: cellOf(seen),
    hovered: null,
    picked: seen.picked,
    cellOf: (ref: { site: string; head: number } | null) => ref && cellOf(ref),
    hasArrived: () => true,
    captionOf: () => ({ kind: "", name: "", value: "" }),
  };
  drawGridInk(clearedContext(ink, { width, height, ratio }), layout, marks, 0, height);
  performance.mark("first-heads-drawn");
  return { sites: sites.size, leave: () => cover.remove() };
}

function quadsOf({ cells, cell_px }: GridLayout, first: FirstHeads, ratio: number): Quad[] {
  const sheets = sheetsOf(first);
  return cells.flatMap(({ site: name, head, x, y }): Quad[] => {
    const sheet = sheets.get(name);
    const site = first.sites.find(({ site }) => site === name);
    if (!sheet || !site) return [];
    const { rows, cols } = site;
    const px = (cell_px * ratio) / Math.max(rows, cols);
    const place = [Math.round(x * ratio), Math.round(y * ratio), px * cols, px * rows] as const;
    return [{ sheet, layer: head, place, part: [0, 0, cols, rows], gain: 1, top: 1, origin: [0, 0], cell: site.cell, reach: site.reach }];
  });
}

function sheetsOf({ sites, strengths }: FirstHeads): Map<string, Sheet> {
  const bytes = Uint8Array.from(atob(strengths), (letter) => letter.charCodeAt(0));
  const sheets = new Map<string, Sheet>();
  let start = 0;
  for (const { site, heads, rows, cols } of sites) {
    const values = bytes.subarray(start, (start += heads * rows * cols));
    sheets.set(site, { key: site, run: "", values, width: cols, height: rows, layers: heads });
  }
  return sheets;
}
