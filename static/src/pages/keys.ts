/** Keys that work wherever the person is, except in a field of text. */
import { isTyping } from "../dom/typing";
import type { Explorer } from "../state/explorer";

const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

/** Arrow keys pressed while nothing has the focus belong to the grid of heads. */
export function walkHeadsFromAnywhere(grid: HTMLElement | null): void {
  document.addEventListener("keydown", (event) => {
    if (!grid || document.activeElement !== document.body || !ARROWS.includes(event.key) || isChord(event)) return;
    event.preventDefault();
    grid.focus();
    grid.dispatchEvent(new KeyboardEvent("keydown", { key: event.key }));
  });
}

export function switchDrawingFromAnywhere(explorer: Explorer): void {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "l" || isTyping(event.target) || isChord(event)) return;
    explorer.view.update((view) => ({ ...view, drawing: view.drawing === "map" ? "links" : "map" }));
  });
}

/** `reveal` brings the field in sight where the heads are a sheet. */
export function findHeadsFromAnywhere(field: HTMLInputElement, reveal: () => void): void {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || isTyping(event.target) || isChord(event)) return;
    event.preventDefault();
    reveal();
    field.focus();
    field.select();
  });
}

function isChord({ ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  return ctrlKey || metaKey || altKey;
}
