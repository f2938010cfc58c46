import { expect, test } from "vitest";
import { real } from "../../../static/src/dom/numbers";
import type { PairReading } from "../../../static/src/tiles/pairs";
import { formulaOf, hiddenSentences } from "../../../static/src/views/inside/formula";

function pair(change: Partial<PairReading> = {}): PairReading {
  const products = [3, -1, 1, 1];
  return {
    rule: "dot",
    turned: false,
    query: [1, 1, 1, 1],
    key: products,
    products,
    product: 4,
    relative: null,
    scale: 0.5,
    scaled: 2,
    softcap: null,
    capped: 2,
    biases: {},
    hidden_by: [],
    score: 2,
    log_sum_exp: 3,
    factor: null,
    weight: Math.exp(-1),
    sink: null,
    seen: 5,
    largest_score: 2.5,
    strongest: [],
    implementation: "cpu",
    ...change,
  };
}

const told = (reading: PairReading) => formulaOf(reading).map(({ name, operand, result }) => [name, operand, result]);

test("the formula goes from q·k to the weight, each line with what then stands there", () => {
  expect(told(pair())).toEqual([
    ["q·k", "", "4.000"],
    ["× scale", ".500", "2.000"],
    ["− log-sum-exp", "3.000", "−1.000"],
    ["exp", "", ".3679"],
  ]);
});

test("softcap, relative keys and biases have lines of their own, in the order in which they act", () => {
  const reading = pair({
    relative: 1,
    scaled: 2.5,
    softcap: 2,
    capped: 1.697,
    biases: { alibi: -0.25, edit: 1 },
    score: 2.447,
  });
  expect(told(reading).slice(0, -2)).toEqual([
    ["q·k", "", "4.000"],
    ["+ relative key", "1.000", "5.000"],
    ["× scale", ".500", "2.500"],
    ["softcap", "±2.000", "1.697"],
    ["+ ALiBi", "−.250", "1.447"],
    ["+ edit", "1.000", "2.447"],
  ]);
});

test("a scale that is not 1/√width is not called so", () => {
  const meaning = (scale: number) => formulaOf(pair({ scale }))[1]?.meaning;
  expect(meaning(0.5)).toContain("1/√4");
  expect(meaning(0.25)).not.toContain("√");
});

test("a hidden pair ends before the softmax, and says which rule hides it", () => {
  const reading = pair({ hidden_by: ["causal", "documents"], score: null, weight: 0 });
  expect(told(reading).map(([name]) => name)).toEqual(["q·k", "× scale"]);
  expect(hiddenSentences(reading)).toHaveLength(2);
  expect(hiddenSentences(reading)[0]).toContain("later in the text");
});

test("a score that adds is not written as q·k, and a map handed out whole has no formula", () => {
  expect(told(pair({ rule: "additive" }))[0]?.[0]).toBe("v·tanh(q + k)");
  expect(formulaOf(pair({ rule: "whole" }))).toEqual([]);
});

test("an edit after the softmax is a last factor", () => {
  expect(told(pair({ factor: 0.5, weight: Math.exp(-1) / 2 })).at(-1)).toEqual(["× edit", ".500", ".1839"]);
});

test("numbers of a calculation keep the places that say something", () => {
  expect([0, 1.23456, -0.4321, 0.0123, 0.00004, 23.456, -1234.5].map(real)).toEqual([
    "0",
    "1.235",
    "−.432",
    ".012",
    "4.0e−5",
    "23.46",
    "−1234.5",
  ]);
});
