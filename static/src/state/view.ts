/**
 * What the person looks at, as the address says it: site, head, locked token, colour scale, zoom.
 *
 * A choice (a head, a lock) is a step in the browser's history; a movement (pan, zoom) only replaces the address.
 */
import { parseSite } from "./sites";
import { Store } from "./store";
import type { SequenceName } from "./run";

export type Scale = "linear" | "sqrt" | "log";

export interface TokenRef {
  sequence: SequenceName;
  index: number;
}

/** The part of a map in sight: its first row and column, and the width of one weight in CSS pixels. */
export interface Frame {
  row: number;
  col: number;
  cell_px: number;
}

export interface View {
  /** null: the page chooses a head worth seeing. */
  site: string | null;
  head: number;
  token: TokenRef | null;
  scale: Scale;
  /** Whether the first token counts for the top of the colour scale. */
  sink: boolean;
  /** null: the whole map. */
  frame: Frame | null;
}

export const DEFAULT_VIEW: View = { site: null, head: 0, token: null, scale: "sqrt", sink: false, frame: null };

/** Browsers refuse an address that changes with every movement; it follows when the hand rests. */
const QUIET_MS = 200;
const SCALES: Scale[] = ["linear", "sqrt", "log"];

export function readView(search: string): View {
  const query = new URLSearchParams(search);
  const site = query.get("site");
  const scale = query.get("scale") as Scale | null;
  return {
    site: site && parseSite(site) ? site : null,
    head: wholeNumber(query.get("head")) ?? 0,
    token: readToken(query.get("token")),
    scale: scale && SCALES.includes(scale) ? scale : DEFAULT_VIEW.scale,
    sink: query.get("sink") === "in",
    frame: readFrame(query.get("at")),
  };
}

/** The query of an address, "" for the default view. */
export function writeView(view: View): string {
  const query = new URLSearchParams();
  if (view.site) {
    query.set("site", view.site);
    query.set("head", String(view.head));
  }
  if (view.token) query.set("token", `${view.token.sequence}.${view.token.index}`);
  if (view.scale !== DEFAULT_VIEW.scale) query.set("scale", view.scale);
  if (view.sink) query.set("sink", "in");
  if (view.frame) {
    const { row, col, cell_px } = view.frame;
    query.set("at", [row.toFixed(1), col.toFixed(1), cell_px.toPrecision(3)].join("_"));
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}

export interface ViewAddress {
  view: Store<View>;
  /** Goes to another page of the site with a view of its own, in one step. */
  enter(path: string, view: View): void;
}

export function openView(window: Window): ViewAddress {
  const { history } = window;
  const view = new Store(readView(window.location.search));
  let shown = view.value;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** The address says it already. */
  let isSaid = false;

  function say(next: View): void {
    clearTimeout(timer);
    isSaid = true;
    view.set(next);
    isSaid = false;
  }

  window.addEventListener("popstate", () => say(readView(window.location.search)));
  view.subscribe((next) => {
    const isStep = isChoice(shown, next);
    shown = next;
    if (isSaid) return;
    clearTimeout(timer);
    const address = () => window.location.pathname + writeView(view.value);
    if (isStep) history.pushState(null, "", address());
    else timer = setTimeout(() => history.replaceState(null, "", address()), QUIET_MS);
  });
  return {
    view,
    enter(path, next) {
      history.pushState(null, "", path + writeView(next));
      say(next);
    },
  };
}

function isChoice(before: View, after: View): boolean {
  const headChanged = before.site !== after.site || before.head !== after.head;
  return headChanged || before.token?.index !== after.token?.index || before.token?.sequence !== after.token?.sequence;
}

function readToken(text: string | null): TokenRef | null {
  const parts = /^(encoder|decoder)\.(\d{1,7})$/.exec(text ?? "");
  return parts ? { sequence: parts[1] as SequenceName, index: Number(parts[2]) } : null;
}

function readFrame(text: string | null): Frame | null {
  const [row, col, cell_px] = (text ?? "").split("_").map(Number);
  if (row === undefined || col === undefined || cell_px === undefined) return null;
  if (![row, col, cell_px].every(Number.isFinite) || row < 0 || col < 0 || cell_px <= 0) return null;
  return { row, col, cell_px };
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,5}$/.test(text) ? Number(text) : null;
}
