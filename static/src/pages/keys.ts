/** Keys that work wherever the person is, except in a field of text. */
import { isTyping } from "../dom/typing";
import type { Explorer } from "../state/explorer";

const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

/** Arrow keys pressed while nothing has the focus belong to the grid of heads. */
export function walkHeadsFromAnywhere(grid: HTMLElement | null): void {
  document.addEventListener("keydown", (event) => {
    if (!grid || document.activeElement !== document.body || !ARROWS.includes(event.key)) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    grid.focus();
    grid.dispatchEvent(new KeyboardEvent("keydown", { key: event.key }));
  });
}

export function switchDrawingFromAnywhere(explorer: Explorer): void {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "l" || isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    explorer.view.update((view) => ({ ...view, drawing: view.drawing === "map" ? "links" : "map" }));
  });
}
