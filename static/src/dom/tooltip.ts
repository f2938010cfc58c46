/** The one label that follows the pointer. It never takes focus; screen readers hear `announce` instead. */
import { element } from "./element";

const GAP_PX = 14;
const EDGE_PX = 8;

const tip = element("div", { class: "tooltip", role: "presentation", hidden: true });
const spoken = element("div", { class: "visually-hidden", "aria-live": "polite" });

export function mountTooltip(host: HTMLElement): void {
  host.append(tip, spoken);
}

/** Shows lines at a point of the window; the first line is the strongest. */
export function showTooltip(x: number, y: number, ...lines: string[]): void {
  tip.replaceChildren(
    ...lines.map((line, index) => element("div", { class: index === 0 ? "tooltip-first" : null, dir: "auto" }, line)),
  );
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = x + GAP_PX + width + EDGE_PX > window.innerWidth ? x - GAP_PX - width : x + GAP_PX;
  const top = y + GAP_PX + height + EDGE_PX > window.innerHeight ? y - GAP_PX - height : y + GAP_PX;
  tip.style.transform = `translate(${Math.round(Math.max(EDGE_PX, left))}px, ${Math.round(Math.max(EDGE_PX, top))}px)`;
}

export function hideTooltip(): void {
  tip.hidden = true;
}

export function announce(sentence: string): void {
  spoken.textContent = sentence;
}
