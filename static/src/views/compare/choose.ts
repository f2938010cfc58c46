/** Choosing what to compare the shown run with: a second text, another model, or a run by its link. */
import { button, element } from "../../dom/element";
import { createMenu } from "../../dom/menu";
import { say } from "../../language/say";
import type { Comparison } from "../../state/compare";
import type { Explorer } from "../../state/explorer";
import { watch } from "../../state/store";

/** Gives the button that opens it, which stands beside those that run a text. */
export function mountCompareChoice(host: HTMLElement, explorer: Explorer, comparison: Comparison): HTMLElement {
  const open = button(
    say("Compare"),
    { class: "quiet compare-open", "aria-expanded": "false", title: say("Put a second run beside this one") },
    () => show(Boolean(form.hidden)),
  );
  const text = element("input", {
    type: "text",
    class: "compare-field",
    "aria-label": say("Second text"),
    placeholder: say("Second text, read by the same model"),
    dir: "auto",
    autocomplete: "off",
    spellcheck: "false",
  });
  const run = element("button", { type: "submit", class: "primary" }, say("Compare texts"));
  const models = createMenu(say("Another model"), (id) => void begin(comparison.compareModel(id)));
  const link = element("input", {
    type: "text",
    class: "compare-field",
    "aria-label": say("Link to a run"),
    placeholder: say("or the link to a run"),
    autocomplete: "off",
  });
  const wrong = element("p", { class: "problem", role: "alert", hidden: true }, say("This is no link to a run. It looks like /runs/ and 26 letters and digits."));
  const form = element(
    "form",
    { class: "compare-choice", "aria-label": say("What to compare with"), hidden: true },
    text,
    run,
    models.root,
    link,
    button(say("Close"), { class: "quiet" }, () => show(false)),
    wrong,
  );
  host.append(form);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (link.value.trim()) {
      wrong.hidden = comparison.compareRun(link.value);
      if (wrong.hidden) show(false);
    } else if (!text.hidden) void begin(comparison.compareText(text.value));
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    show(false);
    open.focus();
  });

  async function begin(begun: Promise<boolean>): Promise<void> {
    if (await begun) show(false);
  }

  function show(isOpen: boolean): void {
    form.hidden = !isOpen;
    open.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) return;
    wrong.hidden = true;
    link.value = "";
    text.value = comparison.other.value.text ?? comparison.first.text ?? "";
    text.hidden = comparison.first.picture !== null;
    text.focus();
    text.select();
  }

  function showModels(): void {
    const own = explorer.run.value.model;
    const sees = explorer.modelOfRun?.architecture === "vision";
    const others = (explorer.models.value ?? []).filter(
      ({ id, state, architecture }) => id !== own && state !== "missing" && (architecture === "vision") === sees,
    );
    models.setChoices(others.map(({ id, name, sentence }) => ({ value: id, label: name, detail: sentence ?? "" })));
    models.setDisabled(others.length === 0);
    open.disabled = explorer.run.value.id === null;
  }

  watch([explorer.models, explorer.run], showModels);
  showModels();
  return open;
}
