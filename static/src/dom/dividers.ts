/** Lines between panels that can be dragged, or moved by arrow keys. Their places are remembered in this browser. */
import { element } from "./element";

export interface DividerOptions {
  /** The custom property on the root element that holds the length. */
  property: `--${string}`;
  label: string;
  /** Which way the panel grows: to the right, to the left, or upwards. */
  grows: "right" | "left" | "up";
  least_px: number;
  most_px: number;
}

const KEY_STEP_PX = 24;

export function divider({ property, label, grows, least_px, most_px }: DividerOptions): HTMLElement {
  const root = document.documentElement;
  const isUpright = grows !== "up";
  const line = element("div", {
    class: `divider ${isUpright ? "divider-upright" : "divider-level"}`,
    role: "separator",
    tabindex: 0,
    "aria-label": label,
    "aria-orientation": isUpright ? "vertical" : "horizontal",
    "aria-valuemin": least_px,
    "aria-valuemax": most_px,
  });
  const stored = Number(window.localStorage.getItem(property));
  if (stored > 0) set(stored);
  else line.setAttribute("aria-valuenow", String(length()));

  function length(): number {
    return Number.parseFloat(getComputedStyle(root).getPropertyValue(property)) || least_px;
  }
  function set(next: number): void {
    const kept = Math.round(Math.min(most_px, Math.max(least_px, next)));
    root.style.setProperty(property, `${kept}px`);
    line.setAttribute("aria-valuenow", String(kept));
    window.localStorage.setItem(property, String(kept));
  }

  line.addEventListener("pointerdown", (event) => {
    line.setPointerCapture(event.pointerId);
    const start = length();
    const move = (now: PointerEvent) => {
      const travelled = {
        right: now.clientX - event.clientX,
        left: event.clientX - now.clientX,
        up: event.clientY - now.clientY,
      };
      set(start + travelled[grows]);
    };
    line.addEventListener("pointermove", move);
    line.addEventListener("lostpointercapture", () => line.removeEventListener("pointermove", move), { once: true });
  });
  line.addEventListener("keydown", (event) => {
    const grow = { right: "ArrowRight", left: "ArrowLeft", up: "ArrowUp" }[grows];
    const shrink = { right: "ArrowLeft", left: "ArrowRight", up: "ArrowDown" }[grows];
    if (event.key !== grow && event.key !== shrink) return;
    event.preventDefault();
    set(length() + (event.key === grow ? KEY_STEP_PX : -KEY_STEP_PX));
  });
  line.addEventListener("dblclick", () => {
    root.style.removeProperty(property);
    window.localStorage.removeItem(property);
  });
  return line;
}
