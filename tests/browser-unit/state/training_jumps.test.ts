import { expect, test } from "vitest";
import { jumpsOf } from "../../../static/src/state/training_jumps";
import { snapshotEvent } from "../made_training";

const labelled = (...labels: string[]) => labels.map((label, place) => snapshotEvent(10 * place, { labels: ["broad", "broad", label] }));

test("a label appears with the first snapshot from which it stays", () => {
  expect(jumpsOf(labelled("broad", "induction", "unclear", "induction", "induction"))).toEqual([
    { step: 30, kind: "label", name: "induction", heads: [{ site: "decoder.self.1", head: 0 }] },
  ]);
});

test("what was there from the start, what is newest alone and what says nothing did not appear", () => {
  expect(jumpsOf(labelled("induction", "induction", "induction"))).toEqual([]);
  expect(jumpsOf(labelled("broad", "broad", "induction"))).toEqual([]);
  expect(jumpsOf(labelled("induction", "unclear", "unclear"))).toEqual([]);
});

test("heads that become the same in one snapshot share a mark", () => {
  const all = ["previous_token", "previous_token", "previous_token"];
  const jumps = jumpsOf([snapshotEvent(0), snapshotEvent(5, { labels: all }), snapshotEvent(10, { labels: all })]);
  expect(jumps.map(({ step, heads }) => [step, heads.length])).toEqual([[5, 3]]);
});

test("a measure that leaps and stays up is marked where no label tells of it", () => {
  const measured = (...values: number[]) => values.map((value, place) => snapshotEvent(10 * place, { induction: [value, 0, 0] }));
  expect(jumpsOf(measured(0.1, 0.1, 0.6, 0.7))).toEqual([
    { step: 20, kind: "measure", name: "induction", heads: [{ site: "decoder.self.0", head: 0 }] },
  ]);
  expect(jumpsOf(measured(0.1, 0.6, 0.1, 0.1))).toEqual([]);
  expect(jumpsOf(measured(0.1, 0.2, 0.3, 0.4))).toEqual([]);
});
