/**
 * Which reading of the maps is shown: a menu, and under the map's head a line that says what it is, its formula and
 * whose. Of gradient × attention also for which output, which can be chosen there.
 */
import { element, setText } from "../../dom/element";
import { createMenu } from "../../dom/menu";
import { share } from "../../dom/numbers";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { flowRow, outputOf, READINGS, readingOf } from "../../state/reading";
import { namesOf, sequencesOf } from "../../state/run";
import { parseSite } from "../../state/sites";
import { watch } from "../../state/store";

/** `head` gets the menu, the line follows it. */
export function mountReadingMenu(head: HTMLElement, explorer: Explorer): HTMLElement {
  const menu = createMenu(say("Shows"), (reading) => explorer.view.update((view) => ({ ...view, reading })));
  const root = element("span", { class: "reading-menu" }, element("span", { "aria-hidden": "true" }, say("Shows")), menu.root);
  const sentence = element("span");
  const formula = element("span", { class: "measure-formula" });
  const source = element("span", { class: "measure-source" });
  const output = createMenu(say("Output"), (id) =>
    explorer.view.update((view) => ({ ...view, reading: isLikeliest(id) ? "gradient" : `gradient.${id}` })),
  );
  const about = element("span");
  const line = element("div", { class: "reading-line", hidden: true }, sentence, formula, source, output.root, about);
  head.after(line);

  function isLikeliest(id: string): boolean {
    return String(outputOf(explorer.run.value, explorer.view.value)?.choices[0]?.id) === id;
  }

  function show(): void {
    const view = explorer.view.value;
    const run = explorer.run.value;
    const shown = readingOf(view);
    menu.setChoices(
      READINGS.map(({ name, title, sentence: detail, formula: facts }) => ({ value: name, label: title, detail, facts })),
      shown.name,
    );
    menu.setLabel(shown.title);
    line.hidden = shown.name === "attention";
    setText(sentence, shown.sentence);
    setText(formula, shown.formula);
    setText(source, shown.source);
    const found = shown.name === "gradient" ? outputOf(run, view) : null;
    output.root.hidden = !found;
    setText(about, shown.name === "gradient" ? aboutOutput() : shown.name === "flow" ? aboutFlow() : "");
    if (!found) return;
    output.setChoices(
      found.choices.map(({ id, name, probability }) => ({ value: String(id), label: name, detail: share(probability) })),
      String(found.token),
    );
    output.setLabel(say("for {token}", { token: found.name }));
  }

  /** Where the output stands; and what the colours' two ends are. */
  function aboutOutput(): string {
    const found = outputOf(explorer.run.value, explorer.view.value);
    const areLines = explorer.view.value.drawing === "links";
    const signs = areLines ? say("Lines speak for it.") : say("Orange speaks for it, blue against it.");
    if (!found) return `${say("For the likeliest output.")} ${signs}`;
    if (found.position === null) return signs;
    const place = { token: found.at ?? "", n: found.position };
    const isGuess = explorer.run.value.next?.sequence === "encoder";
    const where = isGuess ? say("in place of {token}, position {n}.", place) : say("after {token}, position {n}.", place);
    return `${where} ${signs}`;
  }

  function aboutFlow(): string {
    const selected = explorer.selection.value;
    const site = selected && parseSite(selected.site);
    if (!selected || !site) return "";
    const row = flowRow(explorer.run.value, explorer.view.value, selected.site);
    const token = namesOf(explorer.run.value, sequencesOf(site).rows)[row] ?? "";
    return say("From {token}, position {n}; keep another token to see its flow.", { token, n: row });
  }

  watch([explorer.run, explorer.choices, explorer.selection], show);
  show();
  return root;
}
