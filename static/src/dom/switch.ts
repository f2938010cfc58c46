/** A few choices side by side, one of them chosen: a group of radio buttons. Arrow keys choose. */
import { element } from "./element";

export interface Switch {
  root: HTMLElement;
  choose(value: string): void;
}

export function createSwitch(
  caption: string,
  choices: readonly { value: string; label: string; title?: string }[],
  onChoose: (value: string) => void,
): Switch {
  const buttons = choices.map(({ value, label, title }) =>
    element("button", { type: "button", class: "switch-choice", role: "radio", "data-value": value, title }, label),
  );
  const root = element("div", { class: "switch", role: "radiogroup", "aria-label": caption }, ...buttons);
  root.addEventListener("click", (event) => {
    const { value } = (event.target as Element).closest<HTMLElement>("[data-value]")?.dataset ?? {};
    if (value !== undefined) onChoose(value);
  });
  root.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = buttons.findIndex((choice) => choice.getAttribute("aria-checked") === "true");
    const next = buttons[(at + step + buttons.length) % buttons.length];
    next?.focus();
    next?.click();
  });
  return {
    root,
    choose(value) {
      for (const choice of buttons) {
        const isChosen = choice.dataset.value === value;
        choice.setAttribute("aria-checked", String(isChosen));
        choice.tabIndex = isChosen ? 0 : -1;
      }
    },
  };
}
