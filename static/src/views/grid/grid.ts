/**
 * All heads of all sites on one canvas. Places are kept by the model's size before any data arrives; a head lights
 * up when its layer has been computed. Hover names a head, a press shows it, arrow keys walk.
 */
import { clearedContext, type HostSize, watchSize } from "../../dom/canvas";
import { element } from "../../dom/element";
import { share } from "../../dom/numbers";
import { oncePerFrame } from "../../dom/schedule";
import { hideTooltip, showTooltip } from "../../dom/tooltip";
import type { Ramp } from "../../gl/ramp";
import { openSurface, type Quad } from "../../gl/surface";
import type { Explorer } from "../../state/explorer";
import { labelOf } from "../../state/labels";
import { sequencesOf } from "../../state/run";
import { groupSites, headName, headNameInWords, sitesOfModel } from "../../state/sites";
import { derive, type Store, watch } from "../../state/store";
import { overviewSheet } from "../../tiles/sheets";
import { topsOf } from "../../tiles/tops";
import { cellAt, type GridCell, type GridLayout, layOut, neighbour } from "./layout";
import { drawGridInk } from "./ink";

const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function mountGrid(host: HTMLElement, explorer: Explorer, ramp: Store<Ramp>): void {
  const heat = element("canvas", { class: "layer", "aria-hidden": "true" });
  const ink = element("canvas", { class: "layer", "aria-hidden": "true" });
  const option = element("div", {
    id: "head-option",
    role: "option",
    "aria-selected": "true",
    class: "visually-hidden",
  });
  const window_ = element("div", { class: "grid-window" }, heat, ink, option);
  const spacer = element("div", { class: "grid-spacer" });
  const scroller = element(
    "div",
    {
      class: "grid-scroller",
      tabindex: 0,
      role: "listbox",
      "aria-label": "Attention heads by layer; arrow keys walk, the map follows",
      "aria-activedescendant": "head-option",
    },
    window_,
    spacer,
  );
  host.append(scroller);

  let size: HostSize = { width: 0, height: 0, ratio: 1 };
  let layout: GridLayout = layOut([], () => 0, 0, 0);
  let hovered: GridCell | null = null;
  const surface = openSurface(heat, () => draw());

  const draw = oncePerFrame(() => {
    if (size.width === 0) return;
    const selected = explorer.selection.value;
    surface.resize(Math.round(size.width * size.ratio), Math.round(size.height * size.ratio));
    surface.draw({ quads: visibleQuads(), scale: "sqrt", ramp: ramp.value });
    const context = clearedContext(ink, size);
    context.translate(0, -scroller.scrollTop);
    drawGridInk(context, layout, { selected, hovered, hasArrived: (site) => explorer.run.value.sites.has(site) });
    option.textContent = selected ? describe(selected.site, selected.head) : "No head yet";
  });

  function visibleQuads(): Quad[] {
    const { sites, sequences, id } = explorer.run.value;
    const { scrollTop } = scroller;
    return layout.cells.flatMap(({ site: name, head, x, y }) => {
      const site = sites.get(name);
      if (!site || y + layout.cell_px < scrollTop || y > scrollTop + size.height) return [];
      const [, rows = 0, cols = 0] = site.arrays.overview.shape;
      const longer = Math.max(rows, cols);
      const px = layout.cell_px * size.ratio;
      const tops = topsOf(site, sequences[sequencesOf(site).columns], explorer.view.value.sink);
      return {
        sheet: overviewSheet(id ?? "", site),
        layer: head,
        place: [
          Math.round(x * size.ratio),
          Math.round((y - scrollTop) * size.ratio),
          (px * cols) / longer,
          (px * rows) / longer,
        ],
        part: [0, 0, cols, rows],
        gain: site.arrays.scale.values[head] ?? 0,
        top: tops[head] ?? 1,
        origin: [0, 0],
        cell: site.cell,
        reach: site.causal ? site.keys - site.queries : null,
      } satisfies Quad;
    });
  }

  function arrange(): void {
    const { run, models } = explorer;
    const model =
      models.value?.find(({ id }) => id === run.value.model) ??
      (run.value.phase === "empty" ? explorer.model.value : null);
    const names = [...(model ? sitesOfModel(model) : []), ...run.value.sites.keys()];
    const before = layout.height;
    layout = layOut(
      groupSites(names),
      (site) => run.value.sites.get(site)?.heads ?? model?.heads ?? 0,
      size.width,
      size.height,
    );
    spacer.style.height = `${Math.max(0, layout.height - size.height)}px`;
    if (layout.height !== before) keepSelectedInSight();
    draw();
  }

  function describe(name: string, head: number): string {
    const site = explorer.run.value.sites.get(name);
    if (!site) return `${headNameInWords(name, head)}, not computed yet`;
    const label = labelOf(site, head);
    return `${headNameInWords(name, head)}: ${label.title}${label.value === null ? "" : ` ${share(label.value)}`}`;
  }

  function cellUnder(event: PointerEvent | MouseEvent): GridCell | null {
    const box = scroller.getBoundingClientRect();
    return cellAt(layout, event.clientX - box.left, event.clientY - box.top + scroller.scrollTop);
  }

  function hover(cell: GridCell | null, event: PointerEvent): void {
    hovered = cell;
    if (!cell) hideTooltip();
    else {
      const site = explorer.run.value.sites.get(cell.site);
      const label = site && labelOf(site, cell.head);
      const what = label ? `${label.title}${label.value === null ? "" : ` ${share(label.value)}`}` : "not computed yet";
      showTooltip(event.clientX, event.clientY, headName(cell.site, cell.head), what);
    }
    draw();
  }

  scroller.addEventListener("pointermove", (event) => hover(cellUnder(event), event));
  scroller.addEventListener("pointerleave", (event) => hover(null, event));
  scroller.addEventListener("click", (event) => {
    const cell = cellUnder(event);
    if (cell) explorer.select(cell);
  });
  scroller.addEventListener("scroll", draw, { passive: true });
  scroller.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const selected = explorer.selection.value;
    const from =
      layout.cells.find(({ site, head }) => site === selected?.site && head === selected.head) ?? layout.cells[0];
    if (!step || !from) return;
    event.preventDefault();
    const next = neighbour(layout, from, ...step);
    explorer.select(next);
  });

  function keepSelectedInSight(): void {
    const selected = explorer.selection.value;
    const cell = layout.cells.find(({ site, head }) => site === selected?.site && head === selected.head);
    if (cell) keepInSight(cell);
    draw();
  }

  function keepInSight({ y }: GridCell): void {
    if (y < scroller.scrollTop) scroller.scrollTop = y - layout.cell_px;
    else if (y + layout.cell_px > scroller.scrollTop + size.height)
      scroller.scrollTop = y + 2 * layout.cell_px - size.height;
  }

  watchSize(scroller, (next) => {
    size = next;
    arrange();
    keepSelectedInSight();
  });
  watch([explorer.run, explorer.models, explorer.model], arrange);
  explorer.selection.subscribe(keepSelectedInSight);
  watch([derive([explorer.view], () => explorer.view.value.sink), ramp], draw);
}
