import { expect, test } from "vitest";
import { flowRow, massOf, outputOf, parseReading, READINGS, readingOf, shownMap } from "../../../static/src/state/reading";
import { EMPTY_RUN, type Run } from "../../../static/src/state/run";
import { DEFAULT_VIEW, readView, type View, writeView } from "../../../static/src/state/view";
import { probabilitiesEvent, siteEvent, tokensEvent } from "../made";

const run: Run = {
  ...EMPTY_RUN,
  id: "r1",
  sequences: { decoder: tokensEvent(["a", "b", "c"]) },
  sites: new Map([["decoder.self.0", siteEvent({ side: 3 })]]),
  next: probabilitiesEvent(
    [
      [7, 8],
      [8, 9],
      [9, 7],
    ],
    [
      [0.5, 0.25],
      [0.5, 0.25],
      [0.5, 0.25],
    ],
    { 7: " seven", 8: " eight", 9: " nine" },
  ),
};
const classes = {
  type: "classes",
  seq: 5,
  texts: ["cat", "owl"],
  arrays: {
    ids: { values: Int32Array.of(4, 2), shape: [2] },
    probabilities: { values: Float32Array.of(0.75, 0.25), shape: [2] },
  },
} as const;
const ref = { site: "decoder.self.0", head: 1 };

function viewOf(reading: string, token: number | null = null): View {
  return { ...DEFAULT_VIEW, reading, token: token === null ? null : { sequence: "decoder", index: token } };
}

test.each(["attention", "value", "gradient", "gradient.31", "rollout", "flow"])("the address keeps %s", (reading) => {
  expect(readView(writeView(viewOf(reading))).reading).toBe(reading);
});

test.each([null, "", "weights", "value.3", "gradient.x", "gradient.31.2", "gradient.12345678"])(
  "what is no reading, as %s, is attention",
  (text) => expect(parseReading(text)).toBe("attention"),
);

test("every reading has its formula and source", () => {
  for (const { formula, source, sentence, number } of READINGS)
    expect([formula, source, sentence, number].every((text) => text.length > 0)).toBe(true);
  expect(readingOf({ reading: "gradient.31" }).name).toBe("gradient");
});

test("the weights themselves are asked for without a word, others by name", () => {
  expect(shownMap(run, viewOf("attention"), ref)).toEqual({ run: "r1", ...ref });
  expect(shownMap(run, viewOf("value"), ref).reading).toBe("reading=value");
  expect(shownMap(run, viewOf("rollout", 1), ref).reading).toBe("reading=rollout");
});

test("a gradient is for the likeliest token after the kept one, else after the last", () => {
  expect(outputOf(run, viewOf("gradient"))).toMatchObject({ position: 2, token: 9, at: "c" });
  expect(outputOf(run, viewOf("gradient", 0))).toMatchObject({ position: 0, token: 7, at: "a" });
  expect(shownMap(run, viewOf("gradient", 0), ref).reading).toBe("reading=gradient&position=0&token=7");
});

test("a token that is chosen stays, also where it is not among the likely ones", () => {
  expect(outputOf(run, viewOf("gradient.8", 0))).toMatchObject({ position: 0, token: 8, name: "·eight" });
  expect(outputOf(run, viewOf("gradient.31", 1))).toMatchObject({ position: 1, token: 31, name: "token 31" });
});

test("of a picture it is for a class, which stands at no position", () => {
  const seen = { ...run, next: null, classes };
  expect(outputOf(seen, viewOf("gradient"))).toMatchObject({ position: null, token: 4, name: "cat", at: null });
  expect(shownMap(seen, viewOf("gradient.2"), ref).reading).toBe("reading=gradient&token=2");
});

test("where the page does not know what is scored, the model chooses", () => {
  expect(shownMap({ ...run, next: null }, viewOf("gradient"), ref).reading).toBe("reading=gradient");
});

test("flow is of the kept row, else of the last; of a picture of its first token", () => {
  expect(flowRow(run, viewOf("flow", 1), ref.site)).toBe(1);
  expect(flowRow(run, viewOf("flow"), ref.site)).toBe(2);
  expect(shownMap(run, viewOf("flow", 0), ref)).toMatchObject({ reading: "reading=flow", only: 0 });
  expect(flowRow({ ...run, seen: {} as Run["seen"] }, viewOf("flow"), ref.site)).toBe(0);
});

test("the threshold is of weights alone", () => {
  expect(massOf({ reading: "attention", mass: 0.9 })).toBe(0.9);
  expect(massOf({ reading: "value", mass: 0.9 })).toBe(1);
});
