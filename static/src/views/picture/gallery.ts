/** Every head at once: where one token looks in each, layer by layer, as small pictures of weights. */
import type { HostSize } from "../../dom/canvas";
import { cssColour, FONT } from "../../dom/ink";
import { type Ramp, rampColour } from "../../gl/ramp";
import { rampShare, type ScaleName } from "../../gl/scale";
import type { Explorer } from "../../state/explorer";
import type { Picture, Site } from "../../state/run";
import { type HeadRef, isSameHead, parseSite } from "../../state/sites";
import { overviewAt } from "../../tiles/links";
import type { Area, Rectangles } from "../../tiles/rectangles";

export interface SmallPicture {
  ref: HeadRef;
  /** On each patch. */
  weights: Float32Array;
  exact: boolean;
}

/** Of all heads that are here, in the order of layers. Asks for the rows that are not. */
export function readGallery(explorer: Explorer, rectangles: Rectangles, seen: Picture, row: number): SmallPicture[] {
  const { id, sites } = explorer.run.value;
  if (!id) return [];
  const heads = [...sites.values()].flatMap((site) => {
    const area: Area = { rows: [row, row + 1], cols: [0, site.keys], cell: 1 };
    return Array.from({ length: site.heads }, (_, head) => ({ site, area, map: { run: id, site: site.site, head } }));
  });
  rectangles.wantOfAll("picture", heads);
  return heads.map(({ site, area, map }) => {
    const { values } = rectangles.get(map, area) ?? {};
    const line = values ?? Float32Array.from({ length: site.keys }, (_, key) => overviewAt(site, map.head, row, key));
    const ref = { site: map.site, head: map.head };
    return { ref, weights: line.subarray(seen.first), exact: values !== undefined };
  });
}

export interface Gallery {
  x: number;
  y: number;
  /** From one small picture to the next. */
  across: number;
  down: number;
  layers: number;
  heads: number;
}

const LABELS_PX = 30;
const MARGIN_PX = 8;
const GAP_PX = 3;

export function placeGallery(sites: ReadonlyMap<string, Site>, { rows, cols }: Picture, box: HostSize): Gallery {
  const [layers, heads] = [sites.size, Math.max(1, ...[...sites.values()].map((site) => site.heads))];
  const room = { width: box.width - LABELS_PX - MARGIN_PX, height: box.height - LABELS_PX - MARGIN_PX };
  const unit = Math.max(0.1, Math.min((room.width / heads - GAP_PX) / cols, (room.height / layers - GAP_PX) / rows));
  const [across, down] = [unit * cols + GAP_PX, unit * rows + GAP_PX];
  return { x: LABELS_PX, y: LABELS_PX, across, down, layers, heads };
}

/** The head under a point, as a place in the list; null beside them all. */
export function headUnder(gallery: Gallery, pictures: readonly SmallPicture[], x: number, y: number): SmallPicture | null {
  const [layer, head] = [Math.floor((y - gallery.y) / gallery.down), Math.floor((x - gallery.x) / gallery.across)];
  return pictures.find(({ ref }) => ref.head === head && layerOf(ref, pictures) === layer) ?? null;
}

/** The head that an arrow key leads to. */
export function neighbour(pictures: readonly SmallPicture[], from: HeadRef | null, key: string): HeadRef | null {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
  if (!step || !from) return null;
  const layer = layerOf(from, pictures) + (step[0] ?? 0);
  const head = from.head + (step[1] ?? 0);
  return pictures.find(({ ref }) => ref.head === head && layerOf(ref, pictures) === layer)?.ref ?? null;
}

export function drawGallery(
  context: CanvasRenderingContext2D,
  gallery: Gallery,
  seen: Picture,
  pictures: readonly SmallPicture[],
  { scale, ramp, selected, pointed }: { scale: ScaleName; ramp: Ramp; selected: HeadRef | null; pointed: HeadRef | null },
): void {
  const [width, height] = [gallery.across - GAP_PX, gallery.down - GAP_PX];
  context.imageSmoothingEnabled = false;
  drawNames(context, gallery, pictures);
  const bitmap = document.createElement("canvas");
  bitmap.width = seen.cols;
  bitmap.height = seen.rows;
  const pixels = bitmap.getContext("2d");
  const image = new ImageData(seen.cols, seen.rows);
  for (const { ref, weights } of pictures) {
    const top = weights.reduce((most, weight) => Math.max(most, weight), 0);
    weights.forEach((weight, patch) =>
      image.data.set([...rampColour(ramp, rampShare(weight, top, scale)), 255], 4 * patch),
    );
    pixels?.putImageData(image, 0, 0);
    const [x, y] = placeOf(gallery, ref, pictures);
    context.drawImage(bitmap, x, y, width, height);
    const isSelected = isSameHead(ref, selected);
    if (!isSelected && !isSameHead(ref, pointed)) continue;
    context.lineWidth = 2;
    context.strokeStyle = cssColour(isSelected ? "--accent" : "--ink-3");
    context.strokeRect(x - 1, y - 1, width + 2, height + 2);
  }
}

function drawNames(context: CanvasRenderingContext2D, gallery: Gallery, pictures: readonly SmallPicture[]): void {
  context.font = FONT.small;
  context.fillStyle = cssColour("--ink-3");
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const site of new Set(pictures.map(({ ref }) => ref.site))) {
    const [, y] = placeOf(gallery, { site, head: 0 }, pictures);
    context.fillText(`L${parseSite(site)?.layer ?? ""}`, gallery.x - 6, y + gallery.down / 2);
  }
  context.textAlign = "center";
  for (let head = 0; head < gallery.heads; head++)
    context.fillText(String(head), gallery.x + (head + 0.5) * gallery.across, gallery.y - 9);
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
}

function placeOf(gallery: Gallery, ref: HeadRef, pictures: readonly SmallPicture[]): [number, number] {
  return [gallery.x + ref.head * gallery.across, gallery.y + layerOf(ref, pictures) * gallery.down];
}

function layerOf({ site }: HeadRef, pictures: readonly SmallPicture[]): number {
  return [...new Set(pictures.map(({ ref }) => ref.site))].indexOf(site);
}
