/**
 * The picture as the model reads it, and over its patches how much one token looks at each, in the map's colours: the
 * kept patch, else the one under the pointer, else the class token. The other tokens that stand for no patch are
 * buttons above it.
 */
import { clearedContext, type HostSize, watchSize } from "../../dom/canvas";
import { button, element, setText } from "../../dom/element";
import { exactShare, share } from "../../dom/numbers";
import { oncePerFrame } from "../../dom/schedule";
import { announce, hideTooltip, showTooltip } from "../../dom/tooltip";
import type { Ramp } from "../../gl/ramp";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { patchName, stepFrom, tokenOf } from "../../state/patches";
import type { Picture } from "../../state/run";
import { Store, watch } from "../../state/store";
import type { Rectangles } from "../../tiles/rectangles";
import { bitmapOf, drawFrame, drawPicture, patchUnder, type PicturePlot, placePicture } from "./plot";
import { type PictureReading, readPicture, shareOnPatches, strongestPatch } from "./reading";

/** How much the weights cover the picture at first, in hundredths. */
const COVER = 65;

/** Gives the place for tools at its head. */
export function mountPicture(
  host: HTMLElement,
  explorer: Explorer,
  rectangles: Rectangles,
  ramp: Store<Ramp>,
): HTMLElement {
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
  const coverLabel = element("label", { class: "picture-foot" }, say("Weights over the picture"), cover);
  const tools = element("span", { class: "picture-tools" });
  host.append(element("div", { class: "picture-head" }, first, words, tools), plotHost, coverLabel);
  const covered = new Store(COVER);
  cover.addEventListener("input", () => covered.set(Number(cover.value)));

  let box: HostSize = { width: 0, height: 0, ratio: 1 };
  let plot: PicturePlot | null = null;
  let reading: PictureReading | null = null;
  let bitmap: HTMLCanvasElement | null = null;
  let bitmapFrom: Picture | null = null;

  const draw = oncePerFrame(() => {
    const { seen } = explorer.run.value;
    host.hidden = seen === null;
    host.parentElement?.classList.toggle("with-picture", seen !== null);
    reading = readPicture(explorer, rectangles);
    if (!reading) rectangles.wantOfAll("picture", []);
    if (!seen) return;
    if (bitmapFrom !== seen) {
      bitmap = bitmapOf(seen);
      bitmapFrom = seen;
      nameFirstTokens(seen);
    }
    const context = clearedContext(canvas, box);
    plot = placePicture(seen, box);
    if (bitmap && reading) {
      const look = { scale: explorer.view.value.scale, ramp: ramp.value, cover: covered.value / 100 };
      drawPicture(context, plot, bitmap, reading, look);
      drawFrame(context, seen, plot, reading.row);
      if (explorer.hover.value) drawFrame(context, seen, plot, explorer.hover.value.index);
    } else if (bitmap) {
      context.imageSmoothingEnabled = false;
      context.drawImage(bitmap, plot.x, plot.y, bitmap.width * plot.scale, bitmap.height * plot.scale);
    }
    describe();
  });

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
    const strongest = strongestPatch(reading);
    const parts = say("{token} looks at {patch} most, {weight}; on all patches {all}", {
      token: nameOf(reading.row),
      patch: nameOf(strongest),
      weight: share(reading.weights[strongest] ?? 0),
      all: share(shareOnPatches(reading)),
    });
    setText(words, reading.exact ? parts : `${parts} (${say("from the overview")})`);
  }

  function nameOf(token: number): string {
    const { seen, sequences } = explorer.run.value;
    return seen ? patchName(seen, token, sequences.encoder?.texts[token] ?? "") : "";
  }

  /** The weight that the looking token puts on one patch, in words. */
  function weightOn(token: number): string {
    const weight = reading?.weights[token] ?? 0;
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

  function tokenUnder({ clientX, clientY }: MouseEvent): number | null {
    const { seen } = explorer.run.value;
    const { left, top } = plotHost.getBoundingClientRect();
    const patch = seen && plot && patchUnder(seen, plot, clientX - left, clientY - top);
    return seen && patch ? tokenOf(seen, patch) : null;
  }

  plotHost.addEventListener("pointermove", (event) => point(tokenUnder(event), event));
  plotHost.addEventListener("pointerleave", () => point(null, null));
  plotHost.addEventListener("blur", () => point(null, null));
  plotHost.addEventListener("click", (event) => {
    const token = tokenUnder(event);
    if (token === null) return;
    toggle(token);
    // What is said under the pointer is now said of the kept patch.
    point(token, event as PointerEvent);
  });
  plotHost.addEventListener("keydown", (event) => {
    const { seen } = explorer.run.value;
    if (!seen) return;
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
  watch([explorer.run, explorer.view, explorer.selection, explorer.hover, ramp, covered], draw);
  rectangles.onArrival(draw);
  return tools;
}
