import { expect, test } from "vitest";
import { type HeadQuery, isJump, labelCounts, listHeads, type ListedHead, sortableBy } from "../../../static/src/state/heads";
import { siteEvent } from "../made";

const SITES = [
  siteEvent({
    site: "decoder.self.0",
    heads: 3,
    labels: ["previous_token", "unclear", "unclear"],
    measures: { induction: [0.1, 0.1, Number.NaN], previous_token: [0.9, 0.1, 0.1], entropy: [0.5, 2, 3] },
  }),
  siteEvent({
    site: "decoder.self.1",
    heads: 3,
    labels: ["induction", "unclear", "induction"],
    measures: { induction: [0.8, 0.05, 0.6], previous_token: [0, 0.1, 0.1], entropy: [1, 2.5, 1.5] },
  }),
  siteEvent({
    site: "decoder.cross.0",
    heads: 2,
    labels: ["focused", "unclear"],
    measures: { induction: [0.99, 0.99], entropy: [0.2, 3] },
  }),
];
const sites = new Map(SITES.map((site) => [site.site, site]));
// Layer 2 was not computed yet.
const NAMES: [string, number][] = [["decoder.self.0", 3], ["decoder.self.1", 3], ["decoder.self.2", 3], ["decoder.cross.0", 2]];
const every = NAMES.flatMap(([site, heads]) =>
  Array.from({ length: heads }, (_, head): ListedHead => ({ site, head, value: null })),
);

function names(query: Partial<HeadQuery>): string[] {
  const { heads } = listHeads(every, sites, { sort: "layer", find: "", most: null, picked: [], ...query });
  return heads.map(({ site, head }) => `${site.replace("decoder.", "")}.${head}`);
}
const reason = (find: string) => listHeads(every, sites, { sort: "layer", find, most: null, picked: [] }).reason;

test("by layer, without a search, every head is there in its place", () => {
  const list = listHeads(every, sites, { sort: "layer", find: "", most: null, picked: [] });
  expect(list).toMatchObject({ isWhole: true, all: 11, reason: null });
  expect(list.heads).toBe(every);
});

test("a measure sorts the heads of all layers from high to low; those without it come last, in their order", () => {
  expect(names({ sort: "induction" })).toEqual([
    ...["self.1.0", "self.1.2", "self.0.0", "self.0.1", "self.1.1"],
    // Not a number; not computed yet; between two texts, where induction means nothing.
    ...["self.0.2", "self.2.0", "self.2.1", "self.2.2", "cross.0.0", "cross.0.1"],
  ]);
});

test("top N keeps the first of the order, after the search", () => {
  expect(names({ sort: "induction", most: 2 })).toEqual(["self.1.0", "self.1.2"]);
  expect(names({ sort: "induction", most: 1, find: "L0" })).toEqual(["self.0.0"]);
  expect(names({ most: 2 })).toEqual(["self.0.0", "self.0.1"]);
});

test("terms of one kind widen the search, of different kinds narrow it", () => {
  expect(names({ find: "induction" })).toEqual(["self.1.0", "self.1.2"]);
  expect(names({ find: "induction, previous token" })).toEqual(["self.0.0", "self.1.0", "self.1.2"]);
  expect(names({ find: "induction, H2" })).toEqual(["self.1.2"]);
  expect(names({ find: "L0 H1, L1 H2, decoder" })).toEqual(["self.0.1", "self.1.2"]);
  expect(names({ find: "cross" })).toEqual(["cross.0.0", "cross.0.1"]);
});

test("comparisons of measures are a range", () => {
  expect(names({ find: "entropy > 1, entropy <= 2" })).toEqual(["self.0.1", "self.1.2"]);
});

test("a head can be found before it is computed, its label only after", () => {
  expect(names({ find: "L2" })).toEqual(["self.2.0", "self.2.1", "self.2.2"]);
  expect(names({ find: "L2 induction" })).toEqual([]);
});

test("picked heads are listed in the grid's order", () => {
  const picked = [
    { site: "decoder.self.1", head: 2 },
    { site: "decoder.self.0", head: 1 },
  ];
  expect(names({ find: "picked", picked })).toEqual(["self.0.1", "self.1.2"]);
});

test("where nothing matches, the reason is said in words", () => {
  expect(reason("banana")).toBe("No label, layer or head is called “banana”.");
  expect(reason("duplicate token")).toContain("No head is labelled “duplicate token”");
  expect(reason("picked")).toContain("No head is picked");
  expect(reason("induction, L0")).toBe("No head here is “induction, L0”.");
});

test("labels are counted, the most frequent first and unclear last", () => {
  expect(labelCounts(sites)).toEqual([
    { title: "induction", count: 2 },
    { title: "previous token", count: 1 },
    { title: "focused", count: 1 },
    { title: "unclear", count: 4 },
  ]);
});

test("only measures that some site has can be sorted by", () => {
  expect(sortableBy(sites).map(({ name }) => name)).toEqual(["induction", "previous_token", "entropy"]);
});

test("one head by layer and number is a jump; a layer or a label is a search", () => {
  expect(["L4 H7", "4.7", "L4", "H7", "induction", "4.7 induction"].map((find) => isJump(find, sites))).toEqual([
    ...[true, true],
    ...[false, false, false, false],
  ]);
});
