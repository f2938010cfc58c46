/** The chosen head in words and numbers: its label, why, and every measure with what it means. */
import { element } from "../dom/element";
import { measured } from "../dom/numbers";
import { oncePerFrame } from "../dom/schedule";
import type { Explorer } from "../state/explorer";
import { watch } from "../state/store";
import { labelOf, measuresOf } from "../state/labels";
import { measureOf } from "../state/run";
import { headNameInWords } from "../state/sites";

const WAITING_PHASES = ["queued", "running"];

export function mountMeasures(host: HTMLElement, explorer: Explorer): void {
  const name = element("p", { class: "where" });
  const label = element("p", { class: "head-label" });
  const sentence = element("p", { class: "aside" });
  const list = element("dl", { class: "measures" });
  host.append(name, label, sentence, list);

  const draw = oncePerFrame(() => {
    const selected = explorer.selection.value;
    const site = selected && explorer.run.value.sites.get(selected.site);
    host.classList.toggle("waiting", !site);
    name.textContent = selected ? headNameInWords(selected.site, selected.head) : "";
    if (!selected || !site) {
      label.textContent = "";
      sentence.textContent = WAITING_PHASES.includes(explorer.run.value.phase)
        ? "Its measures come with its layer."
        : "Appears when a text has run.";
      list.replaceChildren();
      return;
    }
    const found = labelOf(site, selected.head);
    label.textContent = found.title;
    sentence.textContent = found.sentence;
    list.replaceChildren(
      ...measuresOf(site).flatMap(({ name: measure, title, unit, meaning }) => {
        const value = measureOf(site, selected.head, measure);
        if (value === null) return [];
        const bar = unit === "share" && element("span", { class: "bar-track" }, fill(value));
        return element(
          "div",
          { class: measure === found.measure ? "measure measure-found" : "measure", title: meaning },
          element("dt", {}, title),
          element("dd", {}, bar, element("span", { class: "bar-value" }, measured(value, unit))),
        );
      }),
    );
  });

  watch([explorer.run, explorer.selection], draw);
  draw();
}

function fill(value: number): HTMLElement {
  const bar = element("span", { class: "bar" });
  bar.style.transform = `scaleX(${value})`;
  return bar;
}
