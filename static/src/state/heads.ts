/** Which heads the grid shows, and in which order: what is searched for, sorted by, and how many of them. */
import { say } from "../language/say";
import { readFind, type Term } from "./find";
import { type HeadLabel, labelOf, MEASURES, type MeasureText, measuresOf } from "./labels";
import { measureOf, type Site } from "./run";
import { type HeadRef, isSameHead, parseSite, type SiteName } from "./sites";
import type { View } from "./view";

export type HeadQuery = Pick<View, "sort" | "find" | "most" | "picked">;
type Sites = ReadonlyMap<string, Site>;

export interface ListedHead extends HeadRef {
  /** What it is listed for: the measure sorted by, else the value of its label. null: none, or not computed yet. */
  value: number | null;
}

export interface HeadList {
  heads: readonly ListedHead[];
  /** Of how many. */
  all: number;
  /** Rows by layer, every head: the grid as a model has it. */
  isWhole: boolean;
  /** Why nothing is shown, in words. */
  reason: string | null;
}

/** How far heads changed between two runs, by `changeKey`; null where nothing could be compared. */
export type Changes = ReadonlyMap<string, number | null>;

/** What a grid is sorted by that is no measure of one run. */
export const CHANGE = "change";

export function changeKey({ site, head }: HeadRef): string {
  return `${site}.${head}`;
}

export function listHeads(
  all: readonly ListedHead[],
  sites: Sites,
  query: HeadQuery,
  changes: Changes | null = null,
): HeadList {
  const terms = readFind(query.find, labelTitles(sites));
  const isSorted = query.sort !== "layer";
  if (terms.length === 0 && !isSorted && query.most === null)
    return { heads: all, all: all.length, isWhole: true, reason: null };
  const found = all
    .filter((ref) => terms.length === 0 || matches(ref, sites.get(ref.site), terms, query.picked))
    .map(({ site: name, head }) => {
      const site = sites.get(name);
      const change = changes?.get(changeKey({ site: name, head }));
      if (query.sort === CHANGE) return { site: name, head, value: change ?? null };
      const value = site ? (isSorted ? valueOf(site, head, query.sort) : labelsOf(site)[head]?.value) : null;
      return { site: name, head, value: value ?? null };
    });
  if (isSorted) found.sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity) || 0);
  const heads = found.slice(0, query.most ?? found.length);
  return { heads, all: all.length, isWhole: false, reason: heads.length > 0 || all.length === 0 ? null : reasonFor(terms) };
}

/** A measure of a head; null where it means nothing for this kind of attention, or was not computed. */
export function valueOf(site: Site, head: number, measure: string): number | null {
  return measuresOf(site).some(({ name }) => name === measure) ? measureOf(site, head, measure) : null;
}

/** The measures by which these sites can be sorted. */
export function sortableBy(sites: Sites): MeasureText[] {
  return MEASURES.filter((known) => [...sites.values()].some((site) => measuresOf(site).includes(known)));
}

export interface Counted {
  title: string;
  count: number;
}

/** Labels that occur, the most frequent first; "unclear" last, because it says least. */
export function labelCounts(sites: Sites): Counted[] {
  const [clear, unclear] = [new Map<string, number>(), new Map<string, number>()];
  for (const site of sites.values())
    for (const { title, measure } of labelsOf(site)) {
      const counts = measure === null ? unclear : clear;
      counts.set(title, (counts.get(title) ?? 0) + 1);
    }
  const byCount = (counts: Map<string, number>) => [...counts].sort(([, a], [, b]) => b - a);
  return [...byCount(clear), ...byCount(unclear)].map(([title, count]) => ({ title, count }));
}

const labelled = new WeakMap<Site, HeadLabel[]>();

/** The labels of a site's heads, worked out once. */
export function labelsOf(site: Site): readonly HeadLabel[] {
  const known = labelled.get(site) ?? Array.from({ length: site.heads }, (_, head) => labelOf(site, head));
  labelled.set(site, known);
  return known;
}

/** The head that a search names by layer and number, and by nothing else: such a search is a jump. */
export function isJump(find: string, sites: Sites): boolean {
  const terms = readFind(find, labelTitles(sites));
  const [term] = terms;
  return terms.length === 1 && term?.kind === "place" && term.layers !== null && term.head !== null;
}

export function labelTitles(sites: Sites): string[] {
  return labelCounts(sites).map(({ title }) => title);
}

function matches(ref: HeadRef, site: Site | undefined, terms: readonly Term[], picked: readonly HeadRef[]): boolean {
  const kinds = new Set(terms.map(({ kind }) => kind));
  return [...kinds].every((kind) => {
    const ofKind = terms.filter((term) => term.kind === kind);
    // Two comparisons are the ends of a range; two of anything else are a choice.
    return kind === "measure"
      ? ofKind.every((term) => holds(term, ref, site, picked))
      : ofKind.some((term) => holds(term, ref, site, picked));
  });
}

function holds(term: Term, ref: HeadRef, site: Site | undefined, picked: readonly HeadRef[]): boolean {
  const name = parseSite(ref.site);
  switch (term.kind) {
    case "label": {
      const label = site && labelsOf(site)[ref.head];
      if (!label) return false;
      return term.titles.includes(label.title) || (label.measure !== null && term.measures.includes(label.measure));
    }
    case "measure": {
      const value = site ? valueOf(site, ref.head, term.measure) : null;
      if (value === null) return false;
      if (term.compare.startsWith("<")) return term.compare === "<" ? value < term.bound : value <= term.bound;
      return term.compare === ">" ? value > term.bound : value >= term.bound;
    }
    case "place": {
      if (term.head !== null && term.head !== ref.head) return false;
      if (term.layers === null) return true;
      return name !== null && name.layer >= term.layers[0] && name.layer <= term.layers[1];
    }
    case "group":
      return name !== null && isOf(name, term.group);
    case "picked":
      return picked.some((other) => isSameHead(other, ref));
    case "unknown":
      return false;
  }
}

function isOf(name: SiteName, group: Partial<SiteName>): boolean {
  return (!group.stack || name.stack === group.stack) && (!group.kind || name.kind === group.kind);
}

function reasonFor(terms: readonly Term[]): string {
  const unknown = terms.find(({ kind }) => kind === "unknown");
  if (unknown) return say("No label, layer or head is called “{word}”.", { word: unknown.text });
  const bare = terms.find((term) => term.kind === "label" && term.titles.length === 0);
  if (terms.length === 1 && bare)
    return say("No head is labelled “{word}”. A number compares: “{word} > .5”.", { word: bare.text });
  if (terms.length === 1 && terms[0]?.kind === "picked")
    return say("No head is picked. Press “p” on one, or Ctrl and the mouse.");
  return say("No head here is “{find}”.", { find: terms.map(({ text }) => text).join(", ") });
}
