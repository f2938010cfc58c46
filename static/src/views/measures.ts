/** The chosen head in words and numbers: its label and how sure it is, why, and every measure with its formula. */
import { element, setText } from "../dom/element";
import { exactShare, measured, share } from "../dom/numbers";
import { oncePerFrame } from "../dom/schedule";
import { say } from "../language/say";
import type { Explorer } from "../state/explorer";
import { awaited } from "../state/awaited";
import { watch } from "../state/store";
import { confidenceInWords, labelOf, type MeasureText, measuresOf } from "../state/labels";
import { measureOf } from "../state/run";
import { headNameInWords } from "../state/sites";

export function mountMeasures(host: HTMLElement, explorer: Explorer): void {
  const name = element("p", { class: "where" });
  const title = element("span", { class: "head-label" });
  const confidence = element("span", { class: "head-confidence" });
  const sentence = element("p", { class: "aside head-sentence" });
  const list = element("div", { class: "measures" });
  host.append(name, element("p", { class: "head-line" }, title, confidence), sentence, list);
  const rows = new Map<string, Row>();

  const draw = oncePerFrame(() => {
    const selected = explorer.selection.value;
    const site = selected && explorer.run.value.sites.get(selected.site);
    host.classList.toggle("waiting", !site);
    setText(name, selected ? headNameInWords(selected.site, selected.head) : "");
    // The rows of the head before keep their place, so that nothing below jumps while others are on their way.
    list.classList.toggle("unseen", !site);
    if (!selected || !site) {
      setText(title, "");
      setText(confidence, "");
      const never = say("This run has no such head. Choose one in the grid.");
      const { run, connection } = explorer;
      setText(sentence, awaited(run.value, connection.value, say("Its measures come with its layer."), never));
      return;
    }
    const label = labelOf(site, selected.head);
    setText(title, label.title);
    setText(confidence, confidenceInWords(label));
    confidence.title = say("Confidence {confidence}: it leads by {margin}.", {
      confidence: share(label.confidence),
      margin: share(label.margin),
    });
    setText(sentence, label.sentence);
    const shown = measuresOf(site).flatMap((measure) => {
      const value = measureOf(site, selected.head, measure.name);
      if (value === null) return [];
      const row = rows.get(measure.name) ?? createRow(measure);
      rows.set(measure.name, row);
      row.show(value, measure.name === label.measure);
      return [row.root];
    });
    // Only where they differ: moving an open row would close it for a screen reader.
    if (shown.length !== list.children.length || shown.some((row, index) => list.children[index] !== row))
      list.replaceChildren(...shown);
  });

  watch([explorer.run, explorer.connection, explorer.selection], draw);
  draw();
}

interface Row {
  root: HTMLElement;
  show(value: number, isFound: boolean): void;
}

/** A measure as a line that opens: what it means, its formula with this head's value in it, and whose it is. */
function createRow({ title, unit, meaning, formula, source }: MeasureText): Row {
  const bar = element("span", { class: "bar" });
  const number = element("span", { class: "bar-value" });
  const equation = element("p", { class: "measure-formula" });
  const root = element(
    "details",
    { class: "measure" },
    element(
      "summary",
      { title: meaning },
      element("span", { class: "measure-title" }, title),
      unit === "share" && element("span", { class: "bar-track", "aria-hidden": "true" }, bar),
      number,
    ),
    element("p", {}, meaning),
    equation,
    element("p", { class: "measure-source" }, source),
  );
  return {
    root,
    show(value, isFound) {
      root.classList.toggle("measure-found", isFound);
      if (unit === "share") bar.style.transform = `scaleX(${value})`;
      setText(number, measured(value, unit));
      setText(equation, `${formula} = ${unit === "share" ? exactShare(value) : measured(value, unit)}`);
    },
  };
}
