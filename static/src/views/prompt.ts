/** The text to run or to write on from, one line that grows with it. Enter runs, Shift+Enter breaks the line. */
import { button, element } from "../dom/element";
import { createMenu } from "../dom/menu";
import { say } from "../language/say";
import type { Example, Explorer, Model } from "../state/explorer";
import type { HeadRef } from "../state/sites";
import { watch } from "../state/store";
import { writesText } from "../state/writing";
import { mountPictureChoice } from "./prompt/picture";

/** `beside` are buttons of other views that stand with its own. */
export function mountPrompt(host: HTMLElement, explorer: Explorer, ...beside: HTMLElement[]): void {
  const text = field("prompt-text", say("Text"), say("Type a text and press Enter"));
  const second = field("prompt-second", say("Target, optional"), "");
  const run = element(
    "button",
    { type: "submit", class: "primary", title: say("Run (Enter)") },
    say("Run"),
    element("kbd", { "aria-hidden": "true" }, "⏎"),
  );
  const write = button(say("Write"), { class: "secondary", title: say("Let the model write on (Ctrl+Enter)"), hidden: true }, () =>
    void submit(null, true),
  );
  const examples = createMenu(say("Examples"), (place) => void tryExample(Number(place)));
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const fields = element("div", { class: "prompt-fields" }, text, second);
  const form = element(
    "form",
    { class: "prompt", "aria-label": say("Prompt") },
    fields,
    run,
    write,
    ...beside,
    examples.root,
  );
  host.append(form, problem);
  const pictures = mountPictureChoice(explorer);
  form.prepend(pictures);
  let typed = false;
  let isSubmitting = false;

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  for (const input of [text, second]) {
    input.addEventListener("input", () => {
      typed = true;
      grow(input);
    });
    input.addEventListener("keydown", (event) => {
      // While an input method composes, Enter belongs to it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void submit(null, (event.ctrlKey || event.metaKey) && !write.hidden);
    });
  }

  async function submit(show: HeadRef | null = null, writes = false): Promise<void> {
    if (isSubmitting) return;
    isSubmitting = true;
    const given = second.hidden ? null : second.value || null;
    typed = !(await (writes ? explorer.write(text.value, given) : explorer.submit(text.value, given, show)));
    isSubmitting = false;
  }

  async function tryExample(place: number): Promise<void> {
    const chosen = gallery()[place];
    if (!chosen || isSubmitting) return;
    const { model, example } = chosen;
    explorer.model.set(model);
    if (example.picture) return void (await explorer.submitPicture(example.picture, example));
    fill(example.text, example.target);
    await submit(example);
  }

  function gallery(): { model: Model; example: Example }[] {
    const models = explorer.models.value ?? [];
    const first = explorer.model.value;
    const ordered = [...models].sort((a, b) => Number(b.id === first?.id) - Number(a.id === first?.id));
    return ordered.flatMap((model) => model.examples.map((example) => ({ model, example })));
  }

  function fill(newText: string, newSecond: string): void {
    text.value = newText;
    second.value = newSecond;
    growBoth();
  }

  explorer.run.subscribe((now) => {
    const nowSecond = now.target ?? now.text_pair ?? "";
    if (!typed && now.text !== null && (now.text !== text.value || nowSecond !== second.value)) fill(now.text, nowSecond);
  });
  // A branch has tokens in place of a text; what they began with is told by its tree.
  explorer.tree.subscribe((tree) => {
    if (!typed && explorer.run.value.text === null && tree?.text) fill(tree.text, tree.target ?? "");
  });
  explorer.model.subscribe((model) => {
    const sees = model?.architecture === "vision";
    pictures.hidden = !sees;
    fields.hidden = sees;
    run.hidden = sees;
    write.hidden = !writesText(model);
    second.hidden = model?.architecture !== "encoder-decoder" && !model?.pairs;
    second.setAttribute("aria-label", model?.pairs ? say("Second text, optional") : say("Target, optional"));
    second.placeholder = model?.pairs
      ? say("Second text, optional")
      : say("Target: left empty, the model writes it");
    grow(second);
  });
  watch([explorer.models, explorer.model], () => {
    examples.setChoices(
      gallery().map(({ model, example }, place) => ({
        value: String(place),
        label: example.title,
        detail: `${example.finding} (${model.name})`,
      })),
    );
    examples.setDisabled(gallery().length === 0);
  });
  explorer.problem.subscribe((error) => {
    problem.hidden = error === null;
    problem.textContent = error?.message ?? "";
    text.setAttribute("aria-invalid", String(error?.field === "text"));
    second.setAttribute("aria-invalid", String(error?.field === "target" || error?.field === "text_pair"));
  });
  examples.setDisabled(true);
  second.hidden = true;
  // A line breaks elsewhere when the page's own letters replace the browser's.
  void document.fonts.ready.then(growBoth);
  growWithWidth(text);
  growWithWidth(second);

  function growBoth(): void {
    grow(text);
    grow(second);
  }
}

/** The buttons beside it take more or less of the line, too. */
function growWithWidth(input: HTMLTextAreaElement): void {
  let width_px = 0;
  new ResizeObserver(() => {
    if (input.clientWidth === width_px) return;
    width_px = input.clientWidth;
    grow(input);
  }).observe(input);
}

function field(id: string, label: string, placeholder: string): HTMLTextAreaElement {
  return element("textarea", {
    id,
    rows: 1,
    placeholder,
    "aria-label": label,
    dir: "auto",
    spellcheck: "false",
    autocomplete: "off",
    enterkeyhint: "go",
  });
}

function grow(input: HTMLTextAreaElement): void {
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight}px`;
}
