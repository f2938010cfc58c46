import { expect, test } from "vitest";
import { hasTerm, readFind, toggleTerm } from "../../../static/src/state/find";

const LABELS = ["induction", "previous token", "first token", "unclear"];
const read = (text: string) => readFind(text, LABELS);

test("a label is found by its name, by the measure's, and by their beginning", () => {
  const wanted = [{ kind: "label", titles: ["previous token"], measures: ["previous_token"] }];
  for (const text of ["previous token", "Previous Token", "previous_token", "prev", "previous tok"])
    expect(read(text)).toMatchObject(wanted);
});

test("a word may begin any word of a label", () => {
  expect(read("token")).toMatchObject([{ kind: "label", titles: ["previous token", "first token"] }]);
});

test("layers and heads are understood as they are written anywhere on the page", () => {
  const layer4 = { kind: "place", layers: [4, 4], head: null };
  const both = { kind: "place", layers: [4, 4], head: 7 };
  for (const text of ["L4", "l4", "layer 4"]) expect(read(text)).toMatchObject([layer4]);
  for (const text of ["L4 H7", "L4 · H7", "L4·H7", "l4h7", "4.7", "layer 4 head 7", "layer 4, head 7"])
    expect(read(text)).toMatchObject([both]);
  expect(read("H7")).toMatchObject([{ kind: "place", layers: null, head: 7 }]);
  expect(read("layers 2-5")).toMatchObject([{ kind: "place", layers: [2, 5], head: null }]);
});

test("a measure is compared with a number, with or without spaces", () => {
  const wanted = [{ kind: "measure", measure: "entropy", compare: "<", bound: 0.5 }];
  for (const text of ["entropy < .5", "entropy<0.5", "entropy < 50%"]) expect(read(text)).toMatchObject(wanted);
  for (const text of ["mean distance >= 10", "distance >= 10"])
    expect(read(text)).toMatchObject([{ measure: "distance", compare: ">=", bound: 10 }]);
});

test("terms stand side by side, with or without commas", () => {
  for (const text of ["induction L4 encoder picked", "picked, encoder; L4, induction"])
    expect(read(text).map(({ kind }) => kind).sort()).toEqual(["group", "label", "picked", "place"]);
});

test("what is still being typed does not empty the grid", () => {
  expect(read("l")).toEqual([]);
  expect(read("induction, lay")).toMatchObject([{ kind: "label" }]);
  expect(read("enc")).toMatchObject([{ kind: "group", group: { stack: "encoder" } }]);
  expect(read("entropy <")).toMatchObject([{ kind: "label", measures: ["entropy"] }]);
});

test("a word that is nothing here is said to be so", () => {
  expect(read("banana")).toEqual([{ kind: "unknown", text: "banana" }]);
});

test("a term is added to a search and taken out again, and the rest stays as it was written", () => {
  expect(toggleTerm("", "L4", LABELS)).toBe("L4");
  expect(toggleTerm("Induction", "L4", LABELS)).toBe("Induction, L4");
  expect(toggleTerm("induction l4 H2", "Induction", LABELS)).toBe("l4 H2");
  expect(hasTerm(read("INDUCTION, l4"), "L4")).toBe(true);
  expect(hasTerm(read("l4 h2"), "L4")).toBe(false);
});
