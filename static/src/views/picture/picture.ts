/**
 * The picture as the model reads it, and over its patches how much one token looks at each, in the map's colours: the
 * kept patch, else the one under the pointer, else the class token. Tokens that stand for no patch are buttons above
 * it. The same token can be seen in every head at once, side by side.
 */
import { clearedContext, type HostSize, watchSize } from "../../dom/canvas";
import { button, element, setText } from "../../dom/element";
import { exactShare, real, share } from "../../dom/numbers";
import { oncePerFrame } from "../../dom/schedule";
import { createSwitch } from "../../dom/switch";
import { announce, hideTooltip, showTooltip } from "../../dom/tooltip";
import type { Ramp } from "../../gl/ramp";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { patchName, stepFrom, tokenOf } from "../../state/patches";
import type { ReadingText } from "../../state/reading";
import type { Picture } from "../../state/run";
import { headName, type HeadRef, isSameHead } from "../../state/sites";
import { Store, watch } from "../../state/store";
import type { Rectangles } from "../../tiles/rectangles";
import { drawGallery, type Gallery, headUnder, neighbour, placeGallery, readGallery, type SmallPicture } from "./gallery";
import { bitmapOf, drawFrame, drawPicture, patchUnder, type PicturePlot, placePicture } from "./plot";
import { type PictureReading, readPicture, shareOnPatches, strongestPatch } from "./reading";

/** How much the weights cover the picture at first, in hundredths. */
const COVER = 65;

/** Gives the place for tools at its head, and what they are about. */
export function mountPicture(
  host: HTMLElement,
  explorer: Explorer,
  rectangles: Rectangles,
  ramp: Store<Ramp>,
  diverging: Store<Ramp>,
): { tools: HTMLElement; showsEveryHead(): boolean } {
  const words = element("p", { class: "picture-words" });
  const first = element("span", { class: "picture-first" });
  const canvas = element("canvas", { class: "layer", "aria-hidden": "true" });
  const plotHost = element(
    "div",
    {
      class: "picture-plot",
      tabindex: 0,
      role: "application",
      "aria-label": say("Picture: arrow keys walk over the patches, Enter keeps one, Esc lets go"),
    },
    canvas,
  );
  const cover = element("input", { type: "range", min: 0, max: 100, value: COVER, class: "picture-cover" });
  const coverLabel = element("label", { class: "picture-cover-label" }, say("Weights over the picture"), cover);
  const mode = new Store<"one" | "all">("one");
  const modes = createSwitch(
    say("Heads"),
    [
      { value: "one", label: say("One head"), title: say("Only the head that is shown") },
      { value: "all", label: say("Every head"), title: say("Where this token looks in every head") },
    ],
    (value) => mode.set(value as "one" | "all"),
  );
  const tools = element("span", { class: "picture-tools" });
  host.append(element("div", { class: "picture-head" }, first, words, tools), plotHost, element("div", { class: "picture-foot" }, modes.root, coverLabel));
  const covered = new Store(COVER);
  cover.addEventListener("input", () => covered.set(Number(cover.value)));

  let box: HostSize = { width: 0, height: 0, ratio: 1 };
  let plot: PicturePlot | null = null;
  let reading: PictureReading | null = null;
  let bitmap: HTMLCanvasElement | null = null;
  let bitmapFrom: Picture | null = null;
  let gallery: Gallery | null = null;
  let pictures: SmallPicture[] = [];
  let pointedHead: HeadRef | null = null;

  const draw = oncePerFrame(() => {
    const { seen } = explorer.run.value;
    host.hidden = seen === null;
    host.parentElement?.classList.toggle("with-picture", seen !== null);
    reading = readPicture(explorer, rectangles);
    if (!reading) rectangles.wantOfAll("picture", []);
    modes.choose(mode.value);
    coverLabel.hidden = mode.value === "all";
    if (!seen) return;
    if (bitmapFrom !== seen) {
      bitmap = bitmapOf(seen);
      bitmapFrom = seen;
      nameFirstTokens(seen);
    }
    const context = clearedContext(canvas, box);
    gallery = null;
    if (mode.value === "all" && reading) return drawAll(context, seen, reading.row);
    plot = placePicture(seen, box);
    if (bitmap && reading) {
      const colours = reading.shown.isSigned ? diverging.value : ramp.value;
      const look = { scale: explorer.view.value.scale, ramp: colours, cover: covered.value / 100 };
      drawPicture(context, plot, bitmap, reading, look);
      drawFrame(context, seen, plot, reading.row);
      if (explorer.hover.value) drawFrame(context, seen, plot, explorer.hover.value.index);
    } else if (bitmap) {
      context.imageSmoothingEnabled = false;
      context.drawImage(bitmap, plot.x, plot.y, bitmap.width * plot.scale, bitmap.height * plot.scale);
    }
    describe();
  });

  function drawAll(context: CanvasRenderingContext2D, seen: Picture, row: number): void {
    pictures = readGallery(explorer, rectangles, seen, row);
    gallery = placeGallery(explorer.run.value.sites, seen, box);
    const { scale } = explorer.view.value;
    const selected = explorer.selection.value;
    drawGallery(context, gallery, seen, pictures, { scale, ramp: ramp.value, selected, pointed: pointedHead });
    describe();
  }

  function nameFirstTokens(seen: Picture): void {
    const names = explorer.run.value.sequences.encoder?.texts.slice(0, seen.first) ?? [];
    first.replaceChildren(
      ...names.map((name, token) =>
        button(name, { class: "quiet", "data-token": token, title: say("What the {name} token looks at", { name }) }, () =>
          toggle(token),
        ),
      ),
    );
  }

  function describe(): void {
    for (const chip of first.children) {
      const token = Number((chip as HTMLElement).dataset.token);
      chip.setAttribute("aria-pressed", String(reading?.row === token));
    }
    if (!reading) return setText(words, "");
    if (gallery)
      return setText(
        words,
        say("where {token} looks in every head, each in colours of its own scale", { token: nameOf(reading.row) }),
      );
    const strongest = strongestPatch(reading);
    const { shown } = reading;
    const parts = {
      token: nameOf(reading.row),
      patch: nameOf(strongest),
      weight: tellIn(shown, reading.weights[strongest] ?? 0),
      all: tellIn(shown, shareOnPatches(reading)),
    };
    if (shown.name !== "attention") {
      const found = say("{token}: most from {patch}, {weight}; from all patches {all}", parts);
      return setText(words, reading.exact ? found : say("on its way"));
    }
    const found = say("{token} looks at {patch} most, {weight}; on all patches {all}", parts);
    setText(words, reading.exact ? found : `${found} (${say("from the overview")})`);
  }

  function nameOf(token: number): string {
    const { seen, sequences } = explorer.run.value;
    return seen ? patchName(seen, token, sequences.encoder?.texts[token] ?? "") : "";
  }

  /** The weight that the looking token puts on one patch, in words. */
  function weightOn(token: number): string {
    const weight = reading?.weights[token] ?? 0;
    if (reading && reading.shown.name !== "attention") {
      if (!reading.exact) return say("on its way");
      return `${reading.shown.isShare ? exactShare(weight) : real(weight)} ${reading.shown.number}`;
    }
    return reading?.exact ? exactShare(weight) : say("about {weight}", { weight: share(weight) });
  }

  function point(token: number | null, event: PointerEvent | null): void {
    if (token !== (explorer.hover.value?.index ?? null))
      explorer.hover.set(token === null ? null : { sequence: "encoder", index: token });
    if (token === null) return hideTooltip();
    reading = readPicture(explorer, rectangles);
    if (!reading) return;
    const lines = [weightOn(token), `${nameOf(reading.row)} → ${nameOf(token)}`];
    if (event && event.pointerType !== "touch") showTooltip(event.clientX, event.clientY, ...lines);
    else announce(lines.reverse().join(": "));
  }

  function toggle(token: number): void {
    const kept = explorer.view.value.token;
    const isKept = kept?.sequence === "encoder" && kept.index === token;
    explorer.lock(isKept ? null : { sequence: "encoder", index: token });
  }

  function pointAtHead(event: PointerEvent): void {
    const { left, top } = plotHost.getBoundingClientRect();
    const under = gallery && headUnder(gallery, pictures, event.clientX - left, event.clientY - top);
    if (!isSameHead(under?.ref, pointedHead)) {
      pointedHead = under?.ref ?? null;
      draw();
    }
    if (under) showTooltip(event.clientX, event.clientY, ...headInWords(under));
    else hideTooltip();
  }

  function headInWords({ ref, weights, exact }: SmallPicture): string[] {
    const { seen } = explorer.run.value;
    const best = weights.reduce((most, weight, patch) => (weight > (weights[most] ?? 0) ? patch : most), 0);
    const weight = exact ? exactShare(weights[best] ?? 0) : say("about {weight}", { weight: share(weights[best] ?? 0) });
    return [headName(ref.site, ref.head), `${nameOf((seen?.first ?? 0) + best)} ${weight}`];
  }

  function tokenUnder({ clientX, clientY }: MouseEvent): number | null {
    const { seen } = explorer.run.value;
    const { left, top } = plotHost.getBoundingClientRect();
    const patch = seen && plot && patchUnder(seen, plot, clientX - left, clientY - top);
    return seen && patch ? tokenOf(seen, patch) : null;
  }

  plotHost.addEventListener("pointermove", (event) => (gallery ? pointAtHead(event) : point(tokenUnder(event), event)));
  plotHost.addEventListener("pointerleave", () => {
    pointedHead = null;
    point(null, null);
    draw();
  });
  plotHost.addEventListener("blur", () => point(null, null));
  plotHost.addEventListener("click", (event) => {
    if (gallery) {
      pointAtHead(event as PointerEvent);
      if (pointedHead) explorer.select(pointedHead);
      return;
    }
    const token = tokenUnder(event);
    if (token === null) return;
    toggle(token);
    // What is said under the pointer is now said of the kept patch.
    point(token, event as PointerEvent);
  });
  plotHost.addEventListener("keydown", (event) => {
    const { seen } = explorer.run.value;
    if (!seen) return;
    if (gallery) {
      const to = neighbour(pictures, explorer.selection.value, event.key);
      if (!to) return;
      explorer.select(to);
      const shown = pictures.find(({ ref }) => isSameHead(ref, to));
      if (shown) announce(headInWords(shown).join(": "));
      return event.preventDefault();
    }
    const from = explorer.hover.value?.index ?? explorer.view.value.token?.index ?? -1;
    const next = stepFrom(seen, from, event.key);
    if (next !== null) point(next, null);
    else if (event.key === "Enter" && explorer.hover.value) toggle(explorer.hover.value.index);
    else return;
    event.preventDefault();
  });

  watchSize(plotHost, (next) => {
    box = next;
    draw();
  });
  watch([explorer.run, explorer.view, explorer.selection, explorer.hover, ramp, diverging, covered, mode], draw);
  rectangles.onArrival(draw);
  return { tools, showsEveryHead: () => mode.value === "all" };
}

function tellIn({ isShare }: ReadingText, value: number): string {
  return isShare ? share(value) : real(value);
}
