/** Signs of playing. Drawn, not written: many machines lack the letters, and some draw them in colours. */
import { svg } from "./element";

/** Of 16 x 16 units. */
const PATHS = {
  first: "M3 3h2v10H3zM13 3v10L6 8z",
  back: "M10 3v10L3 8zM11.5 3h2v10h-2z",
  play: "M4 3v10l9-5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  on: "M6 3v10l7-5zM2.5 3h2v10h-2z",
  newest: "M3 3v10l7-5zM11 3h2v10h-2z",
} as const;

export type Icon = keyof typeof PATHS;

/** The same sign again is left alone. */
export function setIcon(host: HTMLElement, name: Icon): void {
  if (host.dataset.icon === name) return;
  host.dataset.icon = name;
  host.replaceChildren(
    svg("svg", { viewBox: "0 0 16 16", width: 14, height: 14, fill: "currentColor", "aria-hidden": "true" }, svg("path", { d: PATHS[name] })),
  );
}
