/** Arrow keys pressed while nothing has the focus belong to the grid of heads. */
const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

export function walkHeadsFromAnywhere(grid: HTMLElement | null): void {
  document.addEventListener("keydown", (event) => {
    if (!grid || document.activeElement !== document.body || !ARROWS.includes(event.key)) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    grid.focus();
    grid.dispatchEvent(new KeyboardEvent("keydown", { key: event.key }));
  });
}
