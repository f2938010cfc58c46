/**
 * What the person looks at, as the address says it: site, head, kept tokens, colour scale, zoom, the grid's order.
 *
 * A choice (a head, a lock, an order) is a step in the browser's history; a movement (pan, zoom) only replaces the address.
 */
import { type HeadRef, parseSite } from "./sites";
import { Store } from "./store";
import type { SequenceName } from "./run";
import { parseReading } from "./reading";

export type Scale = "linear" | "sqrt" | "log";
export type Drawing = "map" | "links";

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
  /** Kept with the token, where that is a row of the map: the key that it looks at, an index of the columns. */
  key: number | null;
  /** How the head is drawn: as a map, or as lines between tokens. */
  drawing: Drawing;
  /** What is shown of the maps: "attention", or another reading by its name (`state/reading.ts`). */
  reading: string;
  scale: Scale;
  /** Whether the first token counts for the top of the colour scale. */
  sink: boolean;
  /** Of each row the strongest weights that together hold this share are drawn; 1 is all. */
  mass: number;
  /** null: the whole map. */
  frame: Frame | null;
  /** Heads picked by hand, in the order of their colours; drawn together in links and tokens. */
  picked: readonly HeadRef[];
  /** The grid's order: "layer", or the name of a measure. */
  sort: string;
  /** What the grid is searched for: a label, a layer, "picked". Empty: every head. */
  find: string;
  /** Only so many heads, the first of the order. null: all. */
  most: number | null;
  /** Whether tokens that make one word stand as one. */
  words: boolean;
  /** Of a run that writes: after how many of its tokens it is shown, at rest. null: as it goes. */
  step: number | null;
  /** The run that this one is compared with. */
  with: string | null;
  /** Tokens that were paired by hand for it, as the API takes them: "decoder.3.4,decoder.5.6". */
  pairs: string;
}

export const DEFAULT_VIEW: View = {
  site: null,
  head: 0,
  token: null,
  key: null,
  drawing: "map",
  reading: "attention",
  scale: "sqrt",
  sink: false,
  mass: 1,
  frame: null,
  picked: [],
  sort: "layer",
  find: "",
  most: null,
  words: false,
  step: null,
  with: null,
  pairs: "",
};

/** Browsers refuse an address that changes with every movement; it follows when the hand rests. */
const QUIET_MS = 200;
const SCALES: Scale[] = ["linear", "sqrt", "log"];
/** As many as there are colours that can be told apart. */
export const MOST_PICKED = 7;
const LONGEST_FIND = 80;

export function readView(search: string): View {
  const query = new URLSearchParams(search);
  const site = query.get("site");
  const scale = query.get("scale") as Scale | null;
  return {
    site: site && parseSite(site) ? site : null,
    head: wholeNumber(query.get("head")) ?? 0,
    token: readToken(query.get("token")),
    key: wholeNumber(query.get("key"), 7),
    drawing: query.get("as") === "links" ? "links" : "map",
    reading: parseReading(query.get("reading")),
    scale: scale && SCALES.includes(scale) ? scale : DEFAULT_VIEW.scale,
    sink: query.get("sink") === "in",
    mass: readMass(query.get("mass")),
    frame: readFrame(query.get("at")),
    picked: readPicked(query.get("picked")),
    sort: /^[a-z_]{1,40}$/.exec(query.get("sort") ?? "")?.[0] ?? DEFAULT_VIEW.sort,
    find: (query.get("find") ?? "").slice(0, LONGEST_FIND),
    most: wholeNumber(query.get("most")) || null,
    words: query.get("words") === "whole",
    step: wholeNumber(query.get("step")),
    with: /^[a-z0-9]{1,26}$/.exec(query.get("with") ?? "")?.[0] ?? null,
    pairs: /^(?:(?:^|,)(?:en|de)coder\.\d{1,7}\.\d{1,7})*$/.exec(query.get("pairs") ?? "")?.[0] ?? "",
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
  if (view.token && view.key !== null) query.set("key", String(view.key));
  if (view.drawing !== DEFAULT_VIEW.drawing) query.set("as", view.drawing);
  if (view.reading !== DEFAULT_VIEW.reading) query.set("reading", view.reading);
  if (view.scale !== DEFAULT_VIEW.scale) query.set("scale", view.scale);
  if (view.sink) query.set("sink", "in");
  if (view.mass < 1) query.set("mass", String(view.mass));
  if (view.frame) {
    const { row, col, cell_px } = view.frame;
    query.set("at", [row.toFixed(1), col.toFixed(1), cell_px.toPrecision(3)].join("_"));
  }
  if (view.picked.length) query.set("picked", view.picked.map(({ site, head }) => `${site}.${head}`).join("_"));
  if (view.sort !== DEFAULT_VIEW.sort) query.set("sort", view.sort);
  if (view.find) query.set("find", view.find);
  if (view.most !== null) query.set("most", String(view.most));
  if (view.words) query.set("words", "whole");
  if (view.step !== null) query.set("step", String(view.step));
  if (view.with) query.set("with", view.with);
  if (view.with && view.pairs) query.set("pairs", view.pairs);
  const text = query.toString();
  return text ? `?${text}` : "";
}

export interface ViewAddress {
  view: Store<View>;
  /** Goes to another page of the site with a view of its own, in one step. */
  enter(path: string, view: View): void;
}

/** `first` is the query that an address which says nothing of a view stands for. */
export function openView(window: Window, first = ""): ViewAddress {
  const { history } = window;
  const read = () => {
    const told = readView(window.location.search);
    return writeView(told) ? told : readView(first);
  };
  const view = new Store(read());
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

  window.addEventListener("popstate", () => say(read()));
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
  const tokenChanged = before.token?.index !== after.token?.index || before.token?.sequence !== after.token?.sequence;
  const orderChanged = before.sort !== after.sort || before.most !== after.most;
  const comparisonChanged = before.with !== after.with || before.pairs !== after.pairs;
  if (comparisonChanged) return true;
  const drawingChanged = before.drawing !== after.drawing || before.reading !== after.reading;
  return headChanged || tokenChanged || orderChanged || before.key !== after.key || drawingChanged;
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

function readMass(text: string | null): number {
  const mass = Number(text ?? 1);
  return mass > 0 && mass <= 1 ? mass : DEFAULT_VIEW.mass;
}

function readPicked(text: string | null): HeadRef[] {
  const named = (text ?? "").split("_").flatMap((name) => {
    const parts = /^(.+)\.(\d{1,5})$/.exec(name);
    return parts?.[1] && parseSite(parts[1]) ? [{ site: parts[1], head: Number(parts[2]) }] : [];
  });
  return named.slice(0, MOST_PICKED);
}

function wholeNumber(text: string | null, digits = 5): number | null {
  return text !== null && /^\d+$/.test(text) && text.length <= digits ? Number(text) : null;
}
