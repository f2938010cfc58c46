/** One head large: its map of the probe text with the tokens along it, and what it is at the shown step. */
import { clearedContext, type HostSize, watchSize } from "../../dom/canvas";
import { element, setText } from "../../dom/element";
import { cssColour } from "../../dom/ink";
import { exactShare, measured } from "../../dom/numbers";
import { oncePerFrame } from "../../dom/schedule";
import { hideTooltip, showTooltip } from "../../dom/tooltip";
import type { Ramp } from "../../gl/ramp";
import { openSurface } from "../../gl/surface";
import { say } from "../../language/say";
import { type AxisLabels, drawAxes, guttersFor } from "../../plot/axes";
import { type Plot, placePlot, weightUnder } from "../../plot/geometry";
import { labelOf, measuresOf } from "../../state/labels";
import { measureOf, sequencesOf, type Site } from "../../state/run";
import { headNameInWords } from "../../state/sites";
import { type Store, watch } from "../../state/store";
import { tokenNames } from "../../state/text";
import type { TrainingPage } from "../../state/training_page";
import { siteOf } from "../../state/training_snapshot";
import { headQuad } from "./quads";
import { waitingWords } from "./waiting";

const MOST_MEASURES = 12;

export function mountTrainingHead(host: HTMLElement, page: TrainingPage, ramp: Store<Ramp>): void {
  const heat = element("canvas", { class: "layer", "aria-hidden": "true" });
  const ink = element("canvas", { class: "layer", "aria-hidden": "true" });
  const name = element("h3", { class: "training-head-name" });
  const sentence = element("p", { class: "aside training-head-sentence" });
  const words = element("p", { class: "aside curve-words" });
  const place = element("div", { class: "training-map" }, heat, ink, words);
  const facts = element("dl", { class: "facts-list training-head-facts" });
  host.append(name, sentence, place, facts);

  let size: HostSize = { width: 0, height: 0, ratio: 1 };
  let shownSite: Site | null = null;
  const surface = openSurface(heat, () => draw());

  const draw = oncePerFrame(() => {
    const [shown, ref] = [page.shown.value, page.head.value];
    shownSite = shown && ref && siteOf(shown, ref.site);
    words.hidden = shownSite !== null;
    for (const canvas of [heat, ink]) canvas.classList.toggle("unseen", shownSite === null);
    if (!shownSite || !ref || size.width === 0) {
      setText(name, say("One head"));
      setText(words, waitingWords(page));
      return;
    }
    const label = labelOf(shownSite, ref.head);
    setText(name, `${headNameInWords(ref.site, ref.head)} · ${label.title}`);
    setText(sentence, label.sentence);
    drawFacts(shownSite, ref.head);
    surface.resize(Math.round(size.width * size.ratio), Math.round(size.height * size.ratio));
    const plot = plotOf(shownSite);
    surface.draw({
      quads: [headQuad(page.id, shownSite, ref.head, [plot.x, plot.y, plot.width, plot.height], size.ratio)],
      scale: "sqrt",
      ramp: ramp.value,
    });
    drawInk(shownSite, plot);
  });

  function plotOf(site: Site): Plot {
    return placePlot(null, { rows: site.queries, cols: site.keys }, size, guttersFor(labelsOf(site), size, 0));
  }

  function labelsOf(site: Site): AxisLabels {
    return { rows: namesAlong(site, "rows"), cols: namesAlong(site, "columns") };
  }

  function namesAlong(site: Site, which: "rows" | "columns"): string[] {
    const tokens = page.training.value.sequences[sequencesOf(site)[which]];
    return tokens ? tokenNames(null, tokens) : [];
  }

  function drawInk(site: Site, plot: Plot): void {
    const context = clearedContext(ink, size);
    const labels = labelsOf(site);
    drawAxes(context, plot, labels, { row: null, col: null }, guttersFor(labels, size, 0), 0);
    context.strokeStyle = cssColour("--hairline");
    context.strokeRect(plot.x - 0.5, plot.y - 0.5, plot.width + 1, plot.height + 1);
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
    const bounds = place.getBoundingClientRect();
    const under = weightUnder(plotOf(shownSite), event.clientX - bounds.left, event.clientY - bounds.top);
    if (!under) return hideTooltip();
    const { row, col } = under;
    const { cell, arrays } = shownSite;
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
