import { expect, test } from "vitest";
import { isMask, nextAt, nextTitle, placeOfRest } from "../../../static/src/state/next";
import { probabilitiesEvent, tokensEvent } from "../made";

const next = probabilitiesEvent(
  [
    [1, 5],
    [5, 6],
  ],
  [
    [0.6, 0.1],
    [0.5, 0.2],
  ],
  { 1: " b", 5: " x", 6: " y" },
);
const tokens = tokensEvent(["a", " b", " c"]);

test("candidates come in order, and the token that follows knows its rank", () => {
  const { candidates, truth } = nextAt(next, tokens, 0);
  expect(candidates.map(({ text }) => text)).toEqual([" b", " x"]);
  expect(candidates[0]?.probability).toBeCloseTo(0.6);
  expect(truth).toEqual({ id: 1, text: " b", rank: 0 });
});

test("a true token beyond the candidates has no rank", () => {
  expect(nextAt(next, tokens, 1).truth).toMatchObject({ text: " c", rank: null });
});

test("nothing follows the last token", () => {
  expect(nextAt(next, tokensEvent(["a", " b"]), 1).truth).toBeNull();
});

test("an encoder guesses the token in its own place", () => {
  const guesses = { ...next, sequence: "encoder" as const };
  expect(nextAt(guesses, tokensEvent(["a", " b", " c"]), 1).truth).toMatchObject({ text: " b" });
});

test("an encoder guesses, a decoder continues", () => {
  expect(nextTitle({ architecture: "encoder" }).panel).toBe("Guesses at this place");
  expect([nextTitle({ architecture: "decoder" }).panel, nextTitle(null).panel]).toEqual(["Next tokens", "Next tokens"]);
});

test("an encoder rests on the token that the text hides", () => {
  const hidden = tokensEvent(["<mask>", "a", "mask"], undefined, [true, false, false]);
  expect([0, 1, 2].map((place) => isMask(hidden, place))).toEqual([true, false, false]);
  const guesses = { ...next, sequence: "encoder" } as const;
  expect(placeOfRest(guesses, hidden)).toBe(0);
  expect(placeOfRest(guesses, tokens)).toBe(1);
  expect(placeOfRest({ ...guesses, sequence: "decoder" }, hidden)).toBe(1);
});
