/**
 * Every head's map of the probe text at the shown step, a line for each layer. Colours mean the same at every step: the
 * last one is a weight of 1. A press shows a head large, arrow keys walk.
 */
import { clearedContext, type HostSize, watchSize } from "../../dom/canvas";
import { element, setText } from "../../dom/element";
import { cssColour, FONT } from "../../dom/ink";
import { oncePerFrame } from "../../dom/schedule";
import { announce, hideTooltip, showTooltip } from "../../dom/tooltip";
import type { Ramp } from "../../gl/ramp";
import { openSurface } from "../../gl/surface";
import { say } from "../../language/say";
import { labelOf } from "../../state/labels";
import { groupSites, headName, headNameInWords, type HeadRef, isSameHead } from "../../state/sites";
import { type Store, watch } from "../../state/store";
import type { TrainingPage } from "../../state/training_page";
import { siteOf } from "../../state/training_snapshot";
import { headQuad } from "./quads";
import { waitingWords } from "./waiting";
import { type HeadPlaces, NO_PLACES, placeHeads } from "./places";

const STEPS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function mountTrainingHeads(host: HTMLElement, page: TrainingPage, ramp: Store<Ramp>): void {
  const heat = element("canvas", { class: "layer", "aria-hidden": "true" });
  const ink = element("canvas", { class: "layer", "aria-hidden": "true" });
  const option = element("div", { id: "training-head", role: "option", "aria-selected": "true", class: "visually-hidden" });
  const room = element(
    "div",
    {
      class: "training-grid",
      tabindex: 0,
      role: "listbox",
      "aria-label": say("Attention heads of the probe text; arrow keys walk"),
      "aria-activedescendant": "training-head",
    },
    heat,
    ink,
    option,
  );
  const words = element("p", { class: "aside curve-words" });
  const place = element("div", { class: "training-place" }, room, words);
  host.append(place);

  let size: HostSize = { width: 0, height: 0, ratio: 1 };
  let places: HeadPlaces = NO_PLACES;
  let arranged = "";
  const surface = openSurface(heat, () => draw());

  function arrange(): void {
    const shown = page.shown.value;
    if (!shown || size.width === 0) return;
    const key = `${shown.sites.join()} ${shown.heads.join()} ${size.width}`;
    if (key === arranged) return;
    arranged = key;
    places = placeHeads(groupSites(shown.sites), (site) => siteOf(shown, site)?.heads ?? 0, size.width);
    room.style.height = `${places.height}px`;
  }

  const draw = oncePerFrame(() => {
    const shown = page.shown.value;
    words.hidden = shown !== null;
    room.classList.toggle("unseen", shown === null);
    setText(words, waitingWords(page));
    arrange();
    if (!shown || size.width === 0) return;
    const { ratio } = size;
    surface.resize(Math.round(size.width * ratio), Math.round(places.height * ratio));
    const quads = places.heads.map(({ site, head, x, y }) => {
      const told = siteOf(shown, site);
      return told && headQuad(page.id, told, head, [x, y, places.side, places.side], ratio);
    });
    surface.draw({ quads: quads.filter((quad) => quad !== null), scale: "sqrt", ramp: ramp.value });
    const context = clearedContext(ink, { ...size, height: places.height });
    drawInk(context);
    const chosen = page.head.value;
    const site = chosen && siteOf(shown, chosen.site);
    if (chosen && site) setText(option, `${headNameInWords(chosen.site, chosen.head)}: ${labelOf(site, chosen.head).title}`);
  });

  function drawInk(context: CanvasRenderingContext2D): void {
    context.textBaseline = "middle";
    for (const { text, x, y, isTitle } of places.texts) {
      context.font = isTitle ? FONT.strong : FONT.small;
      context.fillStyle = cssColour(isTitle ? "--ink-2" : "--ink-3");
      context.fillText(text, x, y);
    }
    for (const place of places.heads) {
      const isChosen = isSameHead(place, page.head.value);
      context.lineWidth = isChosen ? 2 : 1;
      context.strokeStyle = cssColour(isChosen ? "--accent" : "--hairline");
      const out = isChosen ? 1 : -0.5;
      context.strokeRect(place.x - out, place.y - out, places.side + 2 * out, places.side + 2 * out);
    }
  }

  function headAt(event: PointerEvent | MouseEvent): HeadRef | null {
    const box = room.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const { side } = places;
    return places.heads.find((place) => x >= place.x && x < place.x + side && y >= place.y && y < place.y + side) ?? null;
  }

  room.addEventListener("pointermove", (event) => {
    const ref = headAt(event);
    const site = ref && page.shown.value && siteOf(page.shown.value, ref.site);
    if (!ref || !site) return hideTooltip();
    showTooltip(event.clientX, event.clientY, headName(ref.site, ref.head), labelOf(site, ref.head).title);
  });
  room.addEventListener("pointerleave", hideTooltip);
  room.addEventListener("click", (event) => {
    const ref = headAt(event);
    if (ref) page.head.set({ site: ref.site, head: ref.head });
  });
  room.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const from = places.heads.find((place) => isSameHead(place, page.head.value));
    if (!step || !from) return;
    event.preventDefault();
    const next = neighbour(from, step);
    page.head.set({ site: next.site, head: next.head });
    announce(headNameInWords(next.site, next.head));
  });

  function neighbour(from: HeadPlaces["heads"][number], [dx, dy]: [number, number]): HeadPlaces["heads"][number] {
    const ahead = places.heads.filter(({ x, y }) => (dx ? y === from.y && (x - from.x) * dx > 0 : (y - from.y) * dy > 0));
    const distance = ({ x, y }: { x: number; y: number }) => Math.abs(y - from.y) * 1000 + Math.abs(x - from.x);
    return ahead.sort((a, b) => distance(a) - distance(b))[0] ?? from;
  }

  watchSize(room, (next) => {
    size = next;
    draw();
  });
  watch([page.shown, page.head, page.training, ramp], draw);
  draw();
}
