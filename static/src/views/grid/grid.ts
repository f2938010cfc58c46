/**
 * All heads of all sites on one canvas. Places are kept by the model's size before any data arrives; a head lights
 * up when its layer has been computed. Hover names a head, a press shows it, arrow keys walk, "p" picks.
 */
import { clearedContext, type HostSize, watchSize } from "../../dom/canvas";
import { element, setAttributes, setText } from "../../dom/element";
import { share } from "../../dom/numbers";
import { oncePerFrame } from "../../dom/schedule";
import { announce, hideTooltip, showTooltip } from "../../dom/tooltip";
import type { Ramp } from "../../gl/ramp";
import { openSurface } from "../../gl/surface";
import { say } from "../../language/say";
import { awaited } from "../../state/awaited";
import type { Explorer } from "../../state/explorer";
import { labelsOf, valueOf } from "../../state/heads";
import { MEASURES } from "../../state/labels";
import { openListing } from "../../state/listing";
import { type HeadRef, headName, headNameInWords, headTag, isSameHead, kindTag } from "../../state/sites";
import { derive, type Store, watch } from "../../state/store";
import { openGridBatches } from "./batches";
import { type Caption, drawGridInk } from "./ink";
import { EMPTY_LAYOUT, type GridCell, type GridLayout, layOut } from "./layout";
import { type CaptionLetters, layOutList } from "./list";
import { markDrawn } from "./marks";
import { mountGridTools } from "./tools";
import { cellAt, neighbour } from "./walk";

const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export interface Grid {
  /** What "/" leads to. */
  search: HTMLInputElement;
}

export function mountGrid(host: HTMLElement, tools: HTMLElement, explorer: Explorer, ramp: Store<Ramp>): Grid {
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
      "aria-label": say("Attention heads; arrow keys walk, the map follows, p picks"),
      "aria-activedescendant": "head-option",
    },
    window_,
    spacer,
  );
  const reason = element("p", { class: "grid-reason", hidden: true });
  const listing = openListing(explorer);
  const search = mountGridTools(tools, host, explorer, listing, scroller);
  host.append(element("div", { class: "grid-place" }, scroller, reason));

  let size: HostSize = { width: 0, height: 0, ratio: 1 };
  let layout: GridLayout = EMPTY_LAYOUT;
  let places = new Map<string, number>();
  let hovered: GridCell | null = null;
  const batches = openGridBatches();
  const surface = openSurface(heat, () => draw());

  const draw = oncePerFrame(() => {
    if (size.width === 0) return;
    const { run, view, selection } = explorer;
    // Whole device pixels, so that letters and maps move together.
    const shift = -Math.round(scroller.scrollTop * size.ratio);
    const top = -shift / size.ratio;
    surface.resize(Math.round(size.width * size.ratio), Math.round(size.height * size.ratio));
    const maps = batches.of(layout, run.value, view.value.sink, size.ratio);
    surface.draw({ batches: maps, shift, quads: [], scale: "sqrt", ramp: ramp.value });
    markDrawn(run.value.sites.values(), maps);
    const context = clearedContext(ink, size);
    context.translate(0, -top);
    const marks = {
      selected: cellOf(selection.value),
      hovered,
      picked: view.value.picked,
      cellOf,
      hasArrived: (site: string) => run.value.sites.has(site),
      captionOf,
    };
    drawGridInk(context, layout, marks, top, top + size.height);
  });

  function arrange(): void {
    const { groups, headsOf, heads, isWhole } = listing.value;
    const before = layout;
    layout = isWhole
      ? layOut(groups, headsOf, size.width, size.height)
      : layOutList(heads, captionLetters(), size.width, size.height);
    places = new Map(layout.cells.map((cell, place) => [keyOf(cell), place]));
    hovered = null;
    spacer.style.height = `${Math.max(0, layout.height - size.height)}px`;
    showReason();
    if (before.flows !== layout.flows && layout.flows) scroller.scrollTop = 0;
    else if (layout.height !== before.height) keepSelectedInSight();
    describeSelected();
    draw();
  }

  /** Why no head is here, in the grid's place; before the first layer, beneath the places of those that will come. */
  function showReason(): void {
    const { run, connection } = explorer;
    const isWaiting = run.value.sites.size === 0;
    const [comes, never] = [say("Heads come layer by layer."), say("This run has no heads to show.")];
    const why = isWaiting ? awaited(run.value, connection.value, comes, never) : listing.value.reason;
    reason.hidden = why === null;
    reason.classList.toggle("grid-note", isWaiting && layout.cells.length > 0);
    setText(reason, why ?? "");
  }

  function captionLetters(): CaptionLetters {
    const longest = { name: 0, kind: 0 };
    for (const ref of listing.value.heads) {
      longest.name = Math.max(longest.name, headTag(ref).length);
      longest.kind = Math.max(longest.kind, shownKind(ref).length);
    }
    return longest;
  }

  function shownKind({ site }: HeadRef): string {
    return listing.value.groups.length > 1 ? kindTag(site) : "";
  }

  function cellOf(ref: HeadRef | null): GridCell | null {
    return layout.cells[places.get(ref ? keyOf(ref) : "") ?? -1] ?? null;
  }

  function captionOf(place: number): Caption {
    const ref = listing.value.heads[place];
    if (!ref) return { kind: "", name: "", value: "" };
    return { kind: shownKind(ref), name: headTag(ref), value: ref.value === null ? "" : shortly(ref.value) };
  }

  function shortly(value: number): string {
    const unit = MEASURES.find((measure) => measure.name === explorer.view.value.sort)?.unit ?? "share";
    return unit === "share" ? share(value) : value.toFixed(unit === "nats" ? 2 : 1);
  }

  /** "induction .92", and the measure sorted by where that is another. */
  function saidOf({ site: name, head }: HeadRef): string {
    const site = explorer.run.value.sites.get(name);
    const label = site && labelsOf(site)[head];
    if (!site || !label) return say("not computed yet");
    const said = `${label.title}${label.value === null ? "" : ` ${share(label.value)}`}`;
    const sort = MEASURES.find((measure) => measure.name === explorer.view.value.sort);
    const value = sort && sort.name !== label.measure ? valueOf(site, head, sort.name) : null;
    if (!sort || value === null) return said;
    return `${said}; ${sort.title} ${sort.unit === "share" ? share(value) : `${value.toFixed(2)} ${sort.unit}`}`;
  }

  function pickedPlace(ref: HeadRef): number {
    return explorer.view.value.picked.findIndex((picked) => isSameHead(picked, ref));
  }

  function describeSelected(): void {
    const selected = explorer.selection.value;
    if (!selected) return setText(option, say("No head yet"));
    const place = places.get(keyOf(selected));
    const picked = pickedPlace(selected);
    const words = [
      `${headNameInWords(selected.site, selected.head)}: ${saidOf(selected)}`,
      picked >= 0 && say("picked as number {n}", { n: picked + 1 }),
      place === undefined && say("not among the heads shown here"),
    ];
    setText(option, words.filter(Boolean).join(", "));
    setAttributes(option, {
      "aria-posinset": place === undefined ? null : place + 1,
      "aria-setsize": place === undefined ? null : layout.cells.length,
    });
  }

  function cellUnder(event: PointerEvent | MouseEvent): GridCell | null {
    const box = scroller.getBoundingClientRect();
    return cellAt(layout, event.clientX - box.left, event.clientY - box.top + scroller.scrollTop);
  }

  function hover(cell: GridCell | null, event: PointerEvent): void {
    if (!cell) hideTooltip();
    else {
      const picked = pickedPlace(cell);
      const number = picked < 0 ? "" : ` · ${say("picked as number {n}", { n: picked + 1 })}`;
      showTooltip(event.clientX, event.clientY, `${headName(cell.site, cell.head)}${number}`, saidOf(cell));
    }
    if (hovered !== cell) draw();
    hovered = cell;
  }

  function pick(ref: HeadRef): void {
    explorer.pick(ref);
    const name = headName(ref.site, ref.head);
    const n = explorer.view.value.picked.length;
    announce(pickedPlace(ref) < 0 ? say("{name} let go, {n} picked", { name, n }) : say("{name} picked, {n} in all", { name, n }));
  }

  scroller.addEventListener("pointermove", (event) => hover(cellUnder(event), event));
  scroller.addEventListener("pointerleave", (event) => hover(null, event));
  scroller.addEventListener("click", (event) => {
    const cell = cellUnder(event);
    if (!cell) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey) pick(cell);
    else explorer.select(cell);
  });
  scroller.addEventListener(
    "scroll",
    () => {
      // What the pointer points at has gone.
      hovered = null;
      hideTooltip();
      draw();
    },
    { passive: true },
  );
  scroller.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const selected = explorer.selection.value;
    const next = destination(event.key, cellOf(selected));
    if (next) explorer.select(next);
    else if (selected && (event.key === "p" || (event.key === "Enter" && event.shiftKey))) pick(selected);
    else return;
    event.preventDefault();
  });

  function destination(key: string, from: GridCell | null): GridCell | null {
    const [first, last] = [layout.cells[0], layout.cells.at(-1)];
    if (key === "Home") return first ?? null;
    if (key === "End") return last ?? null;
    const step = STEPS[key];
    if (!step) return null;
    return from ? neighbour(layout, from, ...step) : (first ?? null);
  }

  function keepSelectedInSight(): void {
    const cell = cellOf(explorer.selection.value);
    if (!cell) return;
    const { cell_px, line_px } = layout;
    if (cell.y < scroller.scrollTop) scroller.scrollTop = cell.y - cell_px;
    else if (cell.y + line_px > scroller.scrollTop + size.height) scroller.scrollTop = cell.y + 2 * line_px - size.height;
  }

  watchSize(scroller, (next) => {
    size = next;
    arrange();
    keepSelectedInSight();
  });
  listing.subscribe(arrange);
  watch([explorer.run, explorer.connection], showReason);
  explorer.selection.subscribe(keepSelectedInSight);
  watch([explorer.selection, explorer.run, derive([explorer.view], () => explorer.view.value.picked)], () => {
    describeSelected();
    draw();
  });
  watch([derive([explorer.view], () => explorer.view.value.sink), ramp], draw);
  return { search };
}

function keyOf({ site, head }: HeadRef): string {
  return `${site}.${head}`;
}
