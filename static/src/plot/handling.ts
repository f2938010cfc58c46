/** What hands and keys do to a map in its host: wheel, pinch and + - 0 zoom, a drag pans, arrows walk, a press keeps. */
import type { HostSize } from "../dom/canvas";
import type { Frame } from "../state/view";
import type { MapSize } from "../tiles/cover";
import { fitCell, type Gutters, panBy, type Plot, weightUnder, zoomAt } from "./geometry";
import { listenToGestures } from "./gestures";

/** Where a map lies in its host. */
export interface Placed {
  size: MapSize;
  gutters: Gutters;
  plot: Plot;
}

export interface Place {
  row: number;
  col: number;
}

export interface Handled {
  /** As it lies now; null while there is none. */
  placed(): (Placed & { box: HostSize }) | null;
  move(frame: Frame | null): void;
  /** What is pointed at or kept; null, with a null event, when the pointer or the focus leaves. */
  point(at: Place | null, event: PointerEvent | null): void;
  /** Where arrows go on from: what is pointed at, else what is kept. */
  marked(): { row: number | null; col: number | null };
  press(at: Place, event: PointerEvent): void;
  /** By the keyboard: what is pointed at. */
  keep(): void;
  /** The pointer is over the host, but over no weight. */
  beside?(event: PointerEvent, x: number, y: number): void;
}

const KEY_ZOOM = 1.4;
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

export function handleMap(host: HTMLElement, map: Handled): void {
  listenToGestures(host, {
    zoom,
    pan(dx, dy) {
      const placed = map.placed();
      if (!placed || placed.plot.cell_px <= fitCell(placed.size, placed.box, placed.gutters) * 1.001) return;
      map.move(panBy(placed.plot, dx, dy, placed.size));
    },
    fit: () => map.move(null),
    hover(event) {
      const [at, x, y] = event ? under(event) : [null, 0, 0];
      map.point(at, event);
      if (event && !at) map.beside?.(event, x, y);
    },
    press(event) {
      const [at] = under(event);
      if (at) map.press(at, event);
    },
  });
  host.addEventListener("keydown", (event) => {
    if (map.placed() && obey(event.key)) event.preventDefault();
  });
  host.addEventListener("blur", () => map.point(null, null));

  function zoom(factor: number, x: number, y: number): void {
    const placed = map.placed();
    if (placed) map.move(zoomAt(placed.plot, factor, x, y, placed.size, placed.box, placed.gutters));
  }

  function under(event: PointerEvent): [Place | null, number, number] {
    const corner = host.getBoundingClientRect();
    const [x, y] = [event.clientX - corner.left, event.clientY - corner.top];
    const placed = map.placed();
    return [placed && weightUnder(placed.plot, x, y), x, y];
  }

  /** Whether the key means something here. */
  function obey(key: string): boolean {
    const step = ARROWS[key];
    if (step) walk(...step);
    else if (key === "+" || key === "=") zoomMiddle(KEY_ZOOM);
    else if (key === "-") zoomMiddle(1 / KEY_ZOOM);
    else if (key === "0") map.move(null);
    else if (key === "Enter") map.keep();
    else return false;
    return true;
  }

  function walk(down: number, right: number): void {
    const placed = map.placed();
    if (!placed) return;
    const { size, plot } = placed;
    const { row, col } = map.marked();
    map.point(
      {
        row: Math.min(size.rows - 1, Math.max(0, (row ?? Math.floor(plot.row)) + down)),
        col: Math.min(size.cols - 1, Math.max(0, (col ?? Math.floor(plot.col)) + right)),
      },
      null,
    );
  }

  function zoomMiddle(factor: number): void {
    const plot = map.placed()?.plot;
    if (plot) zoom(factor, plot.x + plot.width / 2, plot.y + plot.height / 2);
  }
}
