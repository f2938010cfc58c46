/** On a narrow window the side panels are sheets that come from below, one at a time, called by a bar of tabs. */
import { button, element, setText } from "../dom/element";

export interface SheetPanel {
  label: string;
  panel: HTMLElement;
}

export interface Sheets {
  /** Brings a panel up where panels are sheets; elsewhere it is in sight anyway. */
  open(panel: HTMLElement): void;
  rename(panel: HTMLElement, label: string): void;
}

export function mountSheets(bar: HTMLElement, sheets: SheetPanel[]): Sheets {
  const scrim = element("div", { class: "scrim", hidden: true });
  const tabs = sheets.map(({ label, panel }) => {
    const tab = button("", { class: "tab", "aria-expanded": "false" }, () =>
      show(panel.dataset.open === "yes" ? null : panel),
    );
    const close = button("✕", { class: "sheet-close quiet" }, () => show(null));
    const name = (text: string) => {
      setText(tab, text);
      close.setAttribute("aria-label", `Close ${text.toLowerCase()}`);
    };
    name(label);
    panel.classList.add("sheet");
    panel.append(close);
    return { tab, panel, name };
  });
  bar.append(...tabs.map(({ tab }) => tab));
  document.body.append(scrim);

  function show(wanted: HTMLElement | null): void {
    scrim.hidden = wanted === null;
    for (const { tab, panel } of tabs) {
      const isOpen = panel === wanted;
      panel.dataset.open = isOpen ? "yes" : "no";
      tab.setAttribute("aria-expanded", String(isOpen));
    }
  }

  scrim.addEventListener("click", () => show(null));
  document.addEventListener("keydown", (event) => {
    const open = tabs.find(({ panel }) => panel.dataset.open === "yes");
    if (event.key !== "Escape" || !open) return;
    event.stopImmediatePropagation();
    show(null);
    open.tab.focus();
  });
  show(null);
  return {
    open(panel) {
      if (bar.checkVisibility()) show(panel);
    },
    rename(panel, label) {
      tabs.find((known) => known.panel === panel)?.name(label);
    },
  };
}
