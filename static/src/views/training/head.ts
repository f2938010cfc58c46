/** One head large: its map of the probe text with the tokens along it, and what it is at the shown step. */
import { clearedContext, type HostSize, watchSize } from "../../dom/canvas";
import { element, setText } from "../../dom/element";
import { cssColour, FONT } from "../../dom/ink";
import { exactShare, measured } from "../../dom/numbers";
import { oncePerFrame } from "../../dom/schedule";
import { hideTooltip, showTooltip } from "../../dom/tooltip";
import { writeToken } from "../../dom/token_text";
import type { Ramp } from "../../gl/ramp";
import { openSurface } from "../../gl/surface";
import { say } from "../../language/say";
import { labelOf, measuresOf } from "../../state/labels";
import { measureOf, sequencesOf, type Site } from "../../state/run";
import { headNameInWords } from "../../state/sites";
import { type Store, watch } from "../../state/store";
import { tokenNames } from "../../state/text";
import type { TrainingPage } from "../../state/training_page";
import { siteOf } from "../../state/training_snapshot";
import { headQuad } from "./quads";

const LEAST_GUTTER_PX = 24;
const MOST_GUTTER_PX = 88;
const CHARACTER_PX = 7.3;
const PAD_PX = 6;
const LINE_PX = 12;
const MOST_MEASURES = 12;

export function mountTrainingHead(host: HTMLElement, page: TrainingPage, ramp: Store<Ramp>): void {
  const heat = element("canvas", { class: "layer", "aria-hidden": "true" });
  const ink = element("canvas", { class: "layer", "aria-hidden": "true" });
  const name = element("h3", { class: "training-head-name" });
  const sentence = element("p", { class: "aside training-head-sentence" });
  const place = element("div", { class: "training-map" }, heat, ink);
  const facts = element("dl", { class: "facts-list training-head-facts" });
  host.append(name, sentence, place, facts);

  let size: HostSize = { width: 0, height: 0, ratio: 1 };
  let shownSite: Site | null = null;
  const surface = openSurface(heat, () => draw());

  const draw = oncePerFrame(() => {
    const [shown, ref] = [page.shown.value, page.head.value];
    shownSite = shown && ref && siteOf(shown, ref.site);
    if (!shownSite || !ref || size.width === 0) {
      setText(name, say("One head"));
      setText(sentence, say("Comes with the first heads."));
      return;
    }
    const label = labelOf(shownSite, ref.head);
    setText(name, `${headNameInWords(ref.site, ref.head)} · ${label.title}`);
    setText(sentence, label.sentence);
    drawFacts(shownSite, ref.head);
    surface.resize(Math.round(size.width * size.ratio), Math.round(size.height * size.ratio));
    const box = plot(shownSite);
    surface.draw({
      quads: [headQuad(page.id, shownSite, ref.head, [box.x, box.y, box.width, box.height], size.ratio)],
      scale: "sqrt",
      ramp: ramp.value,
    });
    drawAxes(clearedContext(ink, size), shownSite, box);
  });

  function plot(site: Site): { x: number; y: number; width: number; height: number; cell: number } {
    const [x, y] = [gutter(namesAlong(site, "rows")), gutter(namesAlong(site, "columns"))];
    const cell = Math.min((size.width - x - 1) / site.keys, (size.height - y - 1) / site.queries);
    return { x, y, width: cell * site.keys, height: cell * site.queries, cell };
  }

  function namesAlong(site: Site, which: "rows" | "columns"): string[] {
    const tokens = page.training.value.sequences[sequencesOf(site)[which]];
    return tokens ? tokenNames(null, tokens) : [];
  }

  function drawAxes(context: CanvasRenderingContext2D, site: Site, box: ReturnType<typeof plot>): void {
    context.font = FONT.token;
    context.textBaseline = "middle";
    context.fillStyle = cssColour("--ink-2");
    const step = Math.max(1, Math.ceil(LINE_PX / box.cell));
    const [rows, columns] = [namesAlong(site, "rows"), namesAlong(site, "columns")];
    context.textAlign = "right";
    for (let row = 0; row < rows.length; row += step)
      writeToken(context, rows[row] ?? "", box.x - 2 * PAD_PX, box.x - PAD_PX, box.y + (row + 0.5) * box.cell);
    context.textAlign = "left";
    for (let col = 0; col < columns.length; col += step) {
      context.save();
      context.translate(box.x + (col + 0.5) * box.cell, box.y - PAD_PX);
      context.rotate(-Math.PI / 2);
      writeToken(context, columns[col] ?? "", box.y - 2 * PAD_PX, 0, 0);
      context.restore();
    }
    context.strokeStyle = cssColour("--hairline");
    context.strokeRect(box.x - 0.5, box.y - 0.5, box.width + 1, box.height + 1);
  }

  function drawFacts(site: Site, head: number): void {
    const told = measuresOf(site)
      .map(({ name: measure, title, unit, meaning }) => ({ title, unit, meaning, value: measureOf(site, head, measure) }))
      .filter(({ value }) => value !== null)
      .slice(0, MOST_MEASURES);
    const key = told.map(({ title, value }) => `${title} ${value}`).join();
    if (facts.dataset.key === key) return;
    facts.dataset.key = key;
    facts.replaceChildren(
      ...told.flatMap(({ title, unit, meaning, value }) => [
        element("dt", { title: meaning }, title),
        element("dd", {}, measured(value ?? 0, unit)),
      ]),
    );
  }

  place.addEventListener("pointermove", (event) => {
    const ref = page.head.value;
    if (!shownSite || !ref) return;
    const box = plot(shownSite);
    const bounds = place.getBoundingClientRect();
    const col = Math.floor((event.clientX - bounds.left - box.x) / box.cell);
    const row = Math.floor((event.clientY - bounds.top - box.y) / box.cell);
    const { queries, keys, cell, arrays } = shownSite;
    if (col < 0 || row < 0 || col >= keys || row >= queries) return hideTooltip();
    const [, rows = 0, cols = 0] = arrays.overview.shape;
    const byte = arrays.overview.values[(ref.head * rows + Math.floor(row / cell)) * cols + Math.floor(col / cell)] ?? 0;
    const weight = (arrays.scale.values[ref.head] ?? 0) * (byte / 255) ** 2;
    const [from, to] = [namesAlong(shownSite, "rows")[row] ?? row, namesAlong(shownSite, "columns")[col] ?? col];
    showTooltip(event.clientX, event.clientY, `${cell > 1 ? "≤ " : ""}${exactShare(weight)}`, `${from} → ${to}`);
  });
  place.addEventListener("pointerleave", hideTooltip);
  watchSize(place, (next) => {
    size = next;
    draw();
  });
  watch([page.shown, page.head, page.training, ramp], draw);
  draw();
}

function gutter(names: readonly string[]): number {
  const longest = names.reduce((most, name) => Math.max(most, name.length), 1);
  return Math.round(Math.min(MOST_GUTTER_PX, Math.max(LEAST_GUTTER_PX, longest * CHARACTER_PX + 2 * PAD_PX)));
}
