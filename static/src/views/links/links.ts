/**
 * Lines between tokens: who looks on the left, what is looked at on the right, for one head or for the picked ones.
 * Hovering a token leaves its lines alone, a press keeps it. Long texts show a window; the side under the pointer
 * scrolls, between them both do.
 */
import { clearedContext, type HostSize, watchSize } from "../../dom/canvas";
import { element } from "../../dom/element";
import { cssColour } from "../../dom/ink";
import { oncePerFrame } from "../../dom/schedule";
import { announce, hideTooltip, showTooltip } from "../../dom/tooltip";
import { type LineLayer, type LinesSurface, openLines } from "../../gl/lines";
import { parseHex, type Ramp } from "../../gl/ramp";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { namesOf, type SequenceName, sequencesOf, type Site } from "../../state/run";
import type { MapState } from "../../state/shown";
import { type Store, watch } from "../../state/store";
import { massOf, readingOf, shownMap } from "../../state/reading";
import { type DrawnHead, headsTogether } from "../../state/together";
import { bandAreas, holdsWholeRows } from "../../tiles/bands";
import type { Floors } from "../../tiles/floors";
import { columnArea, rowArea } from "../../tiles/links";
import { keptOf, strongestOf } from "../../tiles/mass";
import type { Area, HeadMap, Rectangles, Weights } from "../../tiles/rectangles";
import { isSink, topOfReading } from "../../tiles/tops";
import { canScroll, type Columns, inSight, placeColumns, scrollTo, type Side, sideUnder, tokenUnder } from "./columns";
import { drawNames, type Names } from "./names";
import { focusInWords, type Focus, linksInWords, weightsInWords } from "./partners";
import { rangeOf, weave, weaveOne, type Weaving, type Woven } from "./weave";

interface Shown {
  site: Site;
  heads: { head: DrawnHead; map: HeadMap }[];
  sequences: { rows: SequenceName; cols: SequenceName };
  names: Names;
  columns: Columns;
}

/** What is left of the other lines while one token's stand out. */
const FADED = 0.06;
const LANE_PX = 1.5;
const LINE_PX = 1.4;
const WHEEL_LINE_PX = 16;
const DRAG_PX = 4;

export function mountLinks(
  host: HTMLElement,
  explorer: Explorer,
  rectangles: Rectangles,
  floors: Floors,
  ramp: Store<Ramp>,
  state: Store<MapState | null>,
): void {
  const threads = element("canvas", { class: "layer", "aria-hidden": "true" });
  const ink = element("canvas", { class: "layer", "aria-hidden": "true" });
  const legend = element("ul", { class: "links-heads", "aria-label": say("Heads by colour") });
  const words = element("div", { class: "visually-hidden links-words" });
  const stage = element("div", { class: "links-stage" }, threads, ink);
  host.append(legend, stage, words);
  /** Opened when lines are first drawn: its WebGL context would cost every page 25 ms. */
  let surface: LinesSurface | null = null;
  let box: HostSize = { width: 0, height: 0, ratio: 1 };
  let shown: Shown | null = null;
  let pointed: { side: Side; index: number } | null = null;
  /** Where the pointer is, while it is on a name. */
  let tipAt: { x: number; y: number } | null = null;
  /** On which side a kept token was pressed, where both show the same text. */
  let keptSide: Side = "rows";
  const scroll = { rows: 0, cols: 0 };
  let woven: { from: unknown[]; lines: Woven } | null = null;

  const draw = oncePerFrame(() => {
    host.hidden = explorer.view.value.drawing !== "links";
    if (host.hidden) {
      floors.wantOfAll("links", []);
      return rectangles.wantOfAll("links", []);
    }
    shown = arrange();
    surface ??= openLines(threads, () => draw());
    surface.resize(Math.round(box.width * box.ratio), Math.round(box.height * box.ratio));
    const context = clearedContext(ink, box);
    if (!shown) {
      surface.draw(pictureOf([], null, []));
      return state.set(null);
    }
    const { site, heads, names, columns } = shown;
    const focus = focusNow(shown);
    const floorsAwaited = wantFloors(shown, focus);
    const bands = readBands(shown, focus);
    const layers = layersOf(shown, bands, focus);
    const drawn = heads.map(({ head }) => head);
    surface.draw(pictureOf(layers, columns, drawn));
    const marks = { focus, pointed, key: explorer.view.value.token && explorer.view.value.key };
    drawNames(context, columns, names, site.kind, drawn, marks, box);
    tell(shown, focus);
    showTip(shown, focus);
    host.classList.toggle("zoomed", canScroll(columns));
    state.set({
      site,
      head: explorer.selection.value?.head ?? 0,
      top: 1,
      cell: 1,
      rows: inSight(columns, "rows"),
      cols: inSight(columns, "cols"),
      sharp: bands.every((band) => band.every(Boolean)),
      zoomed: false,
      failure: heads.map(({ map }) => rectangles.failureOf(map)?.message).find(Boolean) ?? null,
      floorsAwaited,
      floorsFailure: heads.map(({ map }) => floors.failureOf(map)?.message).find(Boolean) ?? null,
    });
  });

  function arrange(): Shown | null {
    const run = explorer.run.value;
    const { id } = run;
    const drawn = headsTogether(run, explorer.view.value.picked, explorer.selection.value);
    const site = drawn[0]?.site;
    if (!site || !id || box.width === 0) return null;
    const { rows, columns: cols } = sequencesOf(site);
    const names = { rows: nameAll(rows, site.queries), cols: nameAll(cols, site.keys) };
    const heads = drawn.map((head) => ({ head, map: shownMap(run, explorer.view.value, head.ref) }));
    return { site, heads, sequences: { rows, cols }, names, columns: placeColumns(names, scroll, box) };
  }

  /** A sequence that does not fit its map, which should not happen, is numbered rather than named wrongly. */
  function nameAll(sequence: SequenceName, length: number): readonly string[] {
    const names = namesOf(explorer.run.value, sequence);
    return names.length === length ? names : Array.from({ length }, (_, index) => String(index));
  }

  /** The token whose lines stand out: the kept one, else the pointed one, else the one pointed at elsewhere. */
  function focusNow({ site, heads, sequences, names }: Shown): Focus | null {
    const kept = explorer.view.value.token;
    const token = kept ?? explorer.active.value;
    const sideOf = (sequence: SequenceName): Side | null => {
      const isHere = { rows: sequence === sequences.rows, cols: sequence === sequences.cols };
      const wanted = kept ? keptSide : (pointed?.side ?? "rows");
      return isHere[wanted] ? wanted : isHere.rows ? "rows" : isHere.cols ? "cols" : null;
    };
    const side = token && sideOf(token.sequence);
    if (!token || !side || token.index >= names[side].length) return null;
    const { index } = token;
    const area = side === "rows" ? rowArea(site, index) : columnArea(site, index);
    const lineOf = (map: HeadMap): Float32Array | null => {
      const weights = readKept(site, map, area);
      return weights && lineFrom(weights, side, index);
    };
    return { side, index, kept: kept !== null, heads: heads.map(({ map }) => lineOf(map)), reading: readingOf(explorer.view.value) };
  }

  /** For each area of the window, the weights of each head; null while they are on their way. */
  function readBands({ site, heads, columns }: Shown, focus: Focus | null): (Weights | null)[][] {
    const areas = bandAreas(site, inSight(columns, "rows"), inSight(columns, "cols"));
    const first: Area[] = focus
      ? [focus.side === "rows" ? rowArea(site, focus.index) : columnArea(site, focus.index)]
      : [];
    rectangles.wantOfAll(
      "links",
      [...first, ...areas].flatMap((area) => heads.map(({ map }) => ({ map, area }))),
    );
    return areas.map((area) => heads.map(({ map }) => readKept(site, map, area)));
  }

  /** Asks for the floors of rows that are not read whole; says for how many they are on their way. */
  function wantFloors({ site, heads, columns }: Shown, focus: Focus | null): number {
    const rows = inSight(columns, "rows");
    const cut = bandAreas(site, rows, inSight(columns, "cols")).filter((area) => !holdsWholeRows(site, area));
    const spans = cut.map((area) => area.rows);
    if (focus?.side === "cols" && !holdsWholeRows(site, columnArea(site, focus.index)))
      // All rows of a map are much to sort: not for a token that the pointer passes by.
      spans.push(focus.kept ? [0, site.queries] : rows);
    const wanted = spans.flatMap((span) => heads.map(({ map }) => ({ site, map, rows: span })));
    return floors.wantRows("links", massOf(explorer.view.value), wanted);
  }

  /** What the threshold keeps of an area; all of it while the floors of its rows are on their way. */
  function readKept(site: Site, map: HeadMap, area: Area): Weights | null {
    const weights = rectangles.get(map, area);
    const mass = massOf(explorer.view.value);
    if (!weights || mass >= 1) return weights ?? null;
    if (holdsWholeRows(site, area)) return strongestOf(weights, mass);
    const known = floors.of(site, map, area.rows, mass);
    return known ? keptOf(weights, known) : weights;
  }

  function layersOf({ site, columns }: Shown, bands: (Weights | null)[][], focus: Focus | null): LineLayer[] {
    const { sink } = explorer.view.value;
    const keys = explorer.run.value.sequences[sequencesOf(site).columns];
    const areWeights = readingOf(explorer.view.value).name === "attention";
    const here = bands.flat().map((weights) => weights ?? undefined);
    // What is no weight has no bound: a full line is the largest in sight.
    const top = areWeights ? 1 : topOfReading(site, keys, sink, here);
    const weaving: Weaving = { scale: areWeights ? "linear" : "sqrt", top, isSink: (col) => !sink && isSink(site, keys, col) };
    const from = [...bands.flat(), site, keys, sink, top];
    if (!woven || woven.from.length !== from.length || from.some((part, index) => part !== woven?.from[index]))
      woven = { from, lines: weave(bands, weaving) };
    const { lines } = woven;
    const base = { lines, range: rangeOf(lines, inSight(columns, "rows")), strength: focus ? FADED : 1 };
    if (!focus) return [base];
    // Alone, a token's faint lines have room to be seen.
    const own = weaveOne(focus.side, focus.index, focus.heads, { ...weaving, scale: "sqrt" });
    return [base, { lines: own, range: [0, own.count], strength: 1 }];
  }

  function pictureOf(layers: LineLayer[], columns: Columns | null, heads: DrawnHead[]) {
    const { left_x = 0, right_x = 0, top = 0, height = 0, pitch = 1 } = columns ?? {};
    const { ratio } = box;
    const start = (side: Side) => (top + pitch / 2 - (columns?.[side].scroll ?? 0)) * ratio;
    return {
      layers,
      columns: {
        left_x: left_x * ratio,
        right_x: right_x * ratio,
        top: top * ratio,
        bottom: (top + height) * ratio,
        left_y: start("rows"),
        right_y: start("cols"),
        pitch: pitch * ratio,
        lane_px: LANE_PX * ratio,
        width_px: LINE_PX * ratio,
      },
      colours: heads.map(({ colour }) => parseHex(cssColour(colour))),
      paper: ramp.value.paper,
    };
  }

  /** The same in words: the heads by colour, and the links of the token in focus. */
  function tell({ heads, names }: Shown, focus: Focus | null): void {
    const drawn = heads.map(({ head }) => head);
    const heading = drawn.map(({ name, colour }) => `${name}${colour}`).join();
    if (legend.dataset.heads !== heading) {
      legend.dataset.heads = heading;
      // One head's name stands in the frame already.
      legend.hidden = drawn.every(({ colour }) => colour === "--accent");
      legend.replaceChildren(
        ...drawn.map(({ name, colour }) =>
          element("li", {}, element("span", { class: "swatch", style: `background: var(${colour})` }), name),
        ),
      );
    }
    const others = focus && names[focus.side === "rows" ? "cols" : "rows"];
    const lines = focus && others ? linksInWords(focus, drawn, others) : [];
    const sentences = focus ? [focusInWords(focus, names[focus.side][focus.index] ?? ""), ...lines] : [];
    if (words.textContent !== sentences.join(""))
      words.replaceChildren(...sentences.map((sentence) => element("p", {}, sentence)));
  }

  function point(at: { side: Side; index: number } | null, event: PointerEvent | null): void {
    const isSame = pointed?.side === at?.side && pointed?.index === at?.index;
    pointed = at;
    tipAt = at && event && event.pointerType !== "touch" ? { x: event.clientX, y: event.clientY } : null;
    if (!shown || !at) {
      explorer.hover.set(null);
      hideTooltip();
      return draw();
    }
    const token = { sequence: shown.sequences[at.side], index: at.index };
    const { hover } = explorer;
    if (hover.value?.sequence !== token.sequence || hover.value.index !== token.index) hover.set(token);
    if (!event) {
      const focus = focusNow(shown);
      announce(focus ? tipOf(shown, focus, at).join(". ") : "");
    }
    if (tipAt && isSame) showTip(shown, focusNow(shown));
    else draw();
  }

  function showTip(now: Shown, focus: Focus | null): void {
    if (pointed && tipAt && focus) showTooltip(tipAt.x, tipAt.y, ...tipOf(now, focus, pointed));
  }

  /** Of the token in focus its strongest links; of another, its links with the kept one. */
  function tipOf({ heads, names }: Shown, focus: Focus, at: { side: Side; index: number }): string[] {
    const drawn = heads.map(({ head }) => head);
    const name = names[at.side][at.index] ?? "";
    if (focus.side === at.side && focus.index !== at.index) return [name, say("position {n}", { n: at.index })];
    if (focus.side !== at.side) {
      const other = names[focus.side][focus.index] ?? "";
      const pair = focus.side === "rows" ? `${other} → ${name}` : `${name} → ${other}`;
      return [pair, ...weightsInWords(focus, drawn, at.index)];
    }
    return [focusInWords(focus, name), ...linksInWords(focus, drawn, names[at.side === "rows" ? "cols" : "rows"])];
  }

  function toggleKept(at: { side: Side; index: number }): void {
    if (!shown) return;
    const sequence = shown.sequences[at.side];
    const { token } = explorer.view.value;
    const isKept = token?.sequence === sequence && token.index === at.index && keptSide === at.side;
    keptSide = at.side;
    explorer.lock(isKept ? null : { sequence, index: at.index });
    draw();
  }

  function scrollBy(side: Side | null, delta: number): void {
    if (!shown) return;
    for (const each of side ? [side] : (["rows", "cols"] as const)) scroll[each] = shown.columns[each].scroll + delta;
    shown = arrange();
    draw();
  }

  const placeOf = (event: MouseEvent): [number, number] => {
    const corner = stage.getBoundingClientRect();
    return [event.clientX - corner.left, event.clientY - corner.top];
  };
  const under = (event: MouseEvent) => shown && tokenUnder(shown.columns, ...placeOf(event));

  host.addEventListener(
    "wheel",
    (event) => {
      if (!shown || !canScroll(shown.columns)) return;
      event.preventDefault();
      const delta = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? WHEEL_LINE_PX : 1);
      scrollBy(sideUnder(shown.columns, placeOf(event)[0]), delta);
    },
    { passive: false },
  );
  let dragged: { y: number; travelled: number } | null = null;
  host.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    hideTooltip();
    tipAt = null;
    dragged = { y: event.clientY, travelled: 0 };
    host.setPointerCapture(event.pointerId);
  });
  host.addEventListener("pointermove", (event) => {
    if (!dragged) return point(under(event), event);
    const delta = dragged.y - event.clientY;
    dragged = { y: event.clientY, travelled: dragged.travelled + Math.abs(delta) };
    if (dragged.travelled > DRAG_PX) scrollBy(shown && sideUnder(shown.columns, placeOf(event)[0]), delta);
  });
  host.addEventListener("pointerup", (event) => {
    const at = under(event);
    if (at && dragged && dragged.travelled <= DRAG_PX) toggleKept(at);
    dragged = null;
  });
  host.addEventListener("pointercancel", () => (dragged = null));
  host.addEventListener("pointerleave", () => point(null, null));
  host.addEventListener("blur", () => point(null, null));

  host.addEventListener("keydown", (event) => {
    if (!shown) return;
    const { columns, names } = shown;
    const focus = focusNow(shown);
    const from = pointed ?? focus ?? { side: "rows" as const, index: inSight(columns, "rows")[0] - 1 };
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const side = ({ ArrowLeft: "rows", ArrowRight: "cols" } as const)[event.key as "ArrowLeft"];
    if (!step && !side && event.key !== "Enter") return;
    event.preventDefault();
    if (event.key === "Enter") return toggleKept(from);
    const next = side ?? from.side;
    const index = Math.min(names[next].length - 1, Math.max(0, from.index + (step ?? 0)));
    scroll[next] = scrollTo(columns, next, index);
    shown = arrange();
    point({ side: next, index }, null);
  });

  watchSize(stage, (next) => {
    box = next;
    draw();
  });
  watch([explorer.run, explorer.choices, explorer.selection, explorer.hover, ramp], draw);
  rectangles.onArrival(draw);
  floors.onArrival(draw);
}

function lineFrom({ rows, cols, values, height, width }: Weights, side: Side, index: number): Float32Array {
  if (side === "rows") return values.subarray((index - rows[0]) * width, (index - rows[0] + 1) * width);
  return Float32Array.from({ length: height }, (_, row) => values[row * width + index - cols[0]] ?? 0);
}
