/**
 * What the grid's search field says, read as terms: labels, measures compared with a number, layers and heads, kinds
 * of attention, "picked". Terms of one kind widen the search ("induction, same position" is either), terms of
 * different kinds narrow it ("induction, L4" is both).
 */
import { say } from "../language/say";
import { MEASURES } from "./labels";
import type { SiteName } from "./sites";

export type Term =
  | { kind: "label"; text: string; titles: readonly string[]; measures: readonly string[] }
  | { kind: "measure"; text: string; measure: string; compare: Compare; bound: number }
  | { kind: "place"; text: string; layers: readonly [number, number] | null; head: number | null }
  | { kind: "group"; text: string; group: Partial<SiteName> }
  | { kind: "picked"; text: string }
  | { kind: "unknown"; text: string };

export type Compare = "<" | ">" | "<=" | ">=";

const COMPARES: Record<string, Compare> = { "<": "<", ">": ">", "<=": "<=", ">=": ">=", "≤": "<=", "≥": ">=" };

/** Terms in the order in which they were written. `labels` are the titles that occur in the run. */
export function readFind(text: string, labels: readonly string[]): Term[] {
  const written = text
    .replace(/<=|>=|[<>≤≥]/g, " $& ")
    .split(/[\s,;·]+/)
    .filter(Boolean);
  const words = written.map((word) => word.toLowerCase());
  const terms: Term[] = [];
  for (let at = 0; at < words.length; ) {
    const found =
      placeAt(words, at) ?? groupAt(words, at) ?? namedAt(words, at, labels) ?? unfinishedAt(words, at);
    if (found === "unfinished") break;
    const length = found?.length ?? 1;
    const said = written.slice(at, at + length).join(" ");
    terms.push(found?.term(said) ?? { kind: "unknown", text: said });
    at += length;
  }
  return terms;
}

/** Adds a term, or takes it out; the rest of the search stays. */
export function toggleTerm(text: string, term: string, labels: readonly string[]): string {
  const terms = readFind(text, labels).map((known) => known.text);
  const others = terms.filter((known) => !isSameText(known, term));
  return (others.length < terms.length ? others : [...others, term]).join(", ");
}

export function hasTerm(terms: readonly Term[], text: string): boolean {
  return terms.some((known) => isSameText(known.text, text));
}

function isSameText(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

interface Found {
  /** In words. */
  length: number;
  term(text: string): Term;
}

const LAYER = /^l(\d{1,4})(?:[-–](\d{1,4}))?$/;
const HEAD = /^h(\d{1,5})$/;
const BOTH = /^(?:l(\d{1,4})[.:]?h|(\d{1,4})[.:])(\d{1,5})$/;
const NUMBERS = /^(\d{1,4})(?:[-–](\d{1,4}))?$/;

/** "L4", "layer 4", "layers 4-6", "H7", "head 7", "L4 H7", "layer 4 head 7", "4.7". */
function placeAt(words: readonly string[], at: number): Found | null {
  const both = BOTH.exec(words[at] ?? "");
  if (both) return place(1, range(both[1] ?? both[2]), Number(both[3]));
  const layer = numbered(words, at, LAYER, ["layer", "layers", say("layer")]);
  const head = numbered(words, at + (layer?.length ?? 0), HEAD, ["head", say("head")]);
  if (!layer && !head) return null;
  const length = (layer?.length ?? 0) + (head?.length ?? 0);
  return place(length, layer ? range(layer.from, layer.to) : null, head ? Number(head.from) : null);
}

function place(length: number, layers: [number, number] | null, head: number | null): Found {
  return { length, term: (text) => ({ kind: "place", text, layers, head }) };
}

function range(from: string | undefined, to = from): [number, number] {
  return [Number(from), Number(to)];
}

function numbered(
  words: readonly string[],
  at: number,
  short: RegExp,
  names: readonly string[],
): { length: number; from: string; to: string | undefined } | null {
  const word = words[at] ?? "";
  const isNamed = names.includes(word);
  const parts = isNamed ? NUMBERS.exec(words[at + 1] ?? "") : short.exec(word);
  return parts?.[1] ? { length: isNamed ? 2 : 1, from: parts[1], to: parts[2] } : null;
}

function groupAt(words: readonly string[], at: number): Found | null {
  const word = words[at] ?? "";
  if (word === "picked" || word === say("picked")) return { length: 1, term: (text) => ({ kind: "picked", text }) };
  const group = GROUPS[word];
  return group ? { length: 1, term: (text) => ({ kind: "group", text, group }) } : null;
}

/** What is being typed does not empty the grid: "l" of "l4", "enc" of "encoder". */
function unfinishedAt(words: readonly string[], at: number): Found | "unfinished" | null {
  const word = words[at] ?? "";
  if (at < words.length - 1) return null;
  const group = word.length > 1 && Object.entries(GROUPS).find(([name]) => name.startsWith(word))?.[1];
  if (group) return { length: 1, term: (text) => ({ kind: "group", text, group }) };
  return /^(l|la|lay|laye|layers?|h|he|hea|heads?|[<>≤≥]|<=|>=|\d+)$/.test(word) ? "unfinished" : null;
}

/** The page's three groups of sites go by their first words. */
const GROUPS: Record<string, Partial<SiteName>> = {
  encoder: { stack: "encoder" },
  decoder: { stack: "decoder", kind: "self" },
  cross: { kind: "cross" },
  "cross-attention": { kind: "cross" },
  self: { kind: "self" },
  "self-attention": { kind: "self" },
};

/** The longest run of words that begins a label's or a measure's name, with its comparison where one follows. */
function namedAt(words: readonly string[], at: number, labels: readonly string[]): Found | null {
  for (let length = Math.min(4, words.length - at); length > 0; length--) {
    const said = words.slice(at, at + length).join(" ");
    const titles = labels.filter((title) => begins(title, said));
    const measures = MEASURES.filter(({ name, title }) => begins(title, said) || begins(name, said));
    const compare = COMPARES[words[at + length] ?? ""];
    const bound = readNumber(words[at + length + 1]);
    const exact = measures.find(({ name, title }) => isSameText(name, said) || isSameText(title, said));
    const measure = (exact ?? measures[0])?.name;
    if (measure && compare && bound !== null)
      return { length: length + 2, term: (text) => ({ kind: "measure", text, measure, compare, bound }) };
    if (titles.length + measures.length > 0) {
      const names = measures.map(({ name }) => name);
      // A comparison whose number is still to be typed.
      const typed = length + (compare ? 1 : 0);
      return { length: typed, term: (text) => ({ kind: "label", text, titles, measures: names }) };
    }
  }
  return null;
}

/** Whether a name begins so, or one of its words does. */
function begins(name: string, said: string): boolean {
  const [words, start] = [name, said].map((text) => text.toLowerCase().replaceAll("_", " ")) as [string, string];
  return words.startsWith(start) || words.includes(` ${start}`);
}

/** ".3", "0.3", "30%". */
function readNumber(word: string | undefined): number | null {
  const parts = /^(\d+\.?\d*|\.\d+)(%?)$/.exec(word ?? "");
  return parts ? Number(parts[1]) / (parts[2] ? 100 : 1) : null;
}
