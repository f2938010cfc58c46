/**
 * What stands on the explorer's page first: its empty places, the words of a share, and all its heads in little. The
 * browser draws this before it reads the rest of the code (`explore.ts`), which takes it over.
 */
import "../css/index.css";
import { rampOf } from "../gl/ramp";
import type { Store } from "../state/store";
import { openTheme, type Theme } from "../state/theme";
import { DEFAULT_VIEW, readView, type View } from "../state/view";
import { drawFirstHeads, type FirstPicture } from "../views/grid/first";
import { type Copy, mountShared } from "../views/share/shared";
import type { FirstHeads, SharedPage } from "../state/sharing";
import { layOutPage, type Places } from "./layout";

export interface Beginning {
  app: HTMLElement;
  theme: Store<Theme>;
  shared: SharedPage | null;
  places: Places;
  first: FirstPicture | null;
  /** Tells the share's button how a copy is made. */
  copyBy: (copy: Copy) => void;
  /** When the browser has shown it. */
  shown: Promise<void>;
}

/** A page in the background is shown no frame. */
const LONGEST_FRAME_MS = 250;

export const beginning = begin(document.getElementById("app"));

function begin(app: HTMLElement | null): Beginning | null {
  if (!app) return null;
  const shared = app.dataset.shared ? (JSON.parse(app.dataset.shared) as SharedPage) : null;
  const heads = app.dataset.firstHeads ? (JSON.parse(app.dataset.firstHeads) as FirstHeads) : null;
  const theme = openTheme(window);
  const places = layOutPage(app);
  let copyBy: Beginning["copyBy"] = () => {};
  const copy = new Promise<Copy>((resolve) => (copyBy = resolve));
  if (shared) mountShared(places.prompt, shared, copy);
  const view = readView(window.location.search || (shared?.view ?? ""));
  const first = heads && showsAllHeads(view) ? drawFirstHeads(places.heads, heads, rampOf(theme.value), view) : null;
  return { app, theme, shared, places, first, copyBy, shown: first ? nextFrame() : Promise.resolve() };
}

/** Whether the grid has every head in its place, coloured as by default. */
function showsAllHeads(view: View): boolean {
  return (["sort", "find", "most", "sink", "step", "with"] as const).every((name) => view[name] === DEFAULT_VIEW[name]);
}

function nextFrame(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, LONGEST_FRAME_MS);
    // In the frame after it, this one has been shown.
    requestAnimationFrame(() => requestAnimationFrame(() => resolve()));
  });
}
