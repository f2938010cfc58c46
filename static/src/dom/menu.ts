/** A button that opens a list of choices. Arrow keys walk, Enter chooses, Esc closes, a press elsewhere closes. */
import { element } from "./element";

export interface Choice {
  value: string;
  label: string;
  detail?: string;
  /** A line of its own beneath the detail. */
  facts?: string;
}

export interface Menu {
  root: HTMLElement;
  setLabel(label: string): void;
  /** Cost: none where nothing changed. */
  setChoices(choices: Choice[], chosen?: string): void;
  setDisabled(disabled: boolean): void;
  /** Called when the list opens, and again every `again_ms` until it closes. */
  onOpen(listener: () => void, again_ms: number): void;
}

let opened = 0;

export function createMenu(caption: string, onChoose: (value: string) => void): Menu {
  const listId = `menu-${++opened}`;
  const label = element("span", { class: "menu-label" }, caption);
  const trigger = element(
    "button",
    {
      type: "button",
      class: "menu-trigger",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      "aria-controls": listId,
      "aria-label": caption,
    },
    label,
    element("span", { class: "menu-arrow", "aria-hidden": "true" }, "▾"),
  );
  const list = element("ul", { id: listId, class: "menu-list", role: "listbox", "aria-label": caption, hidden: true });
  const root = element("div", { class: "menu" }, trigger, list);

  let opens = () => {};
  let again_ms = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  let told = "";
  const items = () => [...list.children] as HTMLElement[];
  function show(open: boolean): void {
    list.hidden = !open;
    trigger.setAttribute("aria-expanded", String(open));
    clearInterval(timer);
    if (open) {
      opens();
      if (again_ms) timer = setInterval(opens, again_ms);
    }
    if (open) (list.querySelector<HTMLElement>('[aria-selected="true"]') ?? items()[0])?.focus();
  }
  function choose(item: Element | null): void {
    const value = item?.closest<HTMLElement>("[data-value]")?.dataset.value;
    if (value === undefined) return;
    show(false);
    trigger.focus();
    onChoose(value);
  }

  trigger.addEventListener("click", () => show(Boolean(list.hidden)));
  list.addEventListener("click", (event) => choose(event.target as Element));
  root.addEventListener("keydown", (event) => {
    if (list.hidden) {
      if (event.key === "ArrowDown" && event.target === trigger) show(true);
      else return;
    } else if (event.key === "Escape") {
      show(false);
      trigger.focus();
      event.stopPropagation();
    } else if (event.key === "Enter" || event.key === " ") choose(document.activeElement);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const all = items();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const next = all.indexOf(document.activeElement as HTMLElement) + step;
      all[(next + all.length) % all.length]?.focus();
    } else return;
    event.preventDefault();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!list.hidden && !root.contains(event.target as Node)) show(false);
  });
  root.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !root.contains(event.relatedTarget as Node)) show(false);
  });

  return {
    root,
    setLabel(text) {
      if (label.textContent === text) return;
      label.textContent = text;
      trigger.setAttribute("aria-label", text === caption ? caption : `${caption}: ${text}`);
    },
    setChoices(choices, chosen) {
      const now = JSON.stringify([choices, chosen]);
      if (now === told) return;
      told = now;
      const focused = items().indexOf(document.activeElement as HTMLElement);
      list.replaceChildren(
        ...choices.map(({ value, label: text, detail, facts }) =>
          element(
            "li",
            { role: "option", tabindex: -1, "data-value": value, "aria-selected": String(value === chosen) },
            element("span", { class: "choice-label", dir: "auto" }, text),
            detail ? element("span", { class: "choice-detail", dir: "auto" }, detail) : null,
            facts ? element("span", { class: "choice-detail choice-facts" }, facts) : null,
          ),
        ),
      );
      // Choices that are told anew while the list is open leave the focus where it was.
      if (focused >= 0) items()[focused]?.focus();
    },
    setDisabled(disabled) {
      trigger.disabled = disabled;
    },
    onOpen(listener, again) {
      opens = listener;
      again_ms = again;
    },
  };
}
