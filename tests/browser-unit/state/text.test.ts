import { expect, test } from "vitest";
import { cutIntoPieces, tokenNames, unitIndex, visible } from "../../../static/src/state/text";
import { tokensEvent } from "../made";

const textsOf = (text: string | null, tokens: ReturnType<typeof tokensEvent>) =>
  cutIntoPieces(text, tokens).map((piece) => piece.text);

test("offsets in code points cut an emoji whole, though it takes two UTF-16 units", () => {
  const text = "a🙂b";
  const units = unitIndex(text);
  expect([0, 1, 2, 3].map(units)).toEqual([0, 1, 3, 4]);
  expect(
    textsOf(
      text,
      tokensEvent(
        ["a", "🙂", "b"],
        [
          [0, 1],
          [1, 2],
          [2, 3],
        ],
      ),
    ),
  ).toEqual(["a", "🙂", "b"]);
});

test("tokens that are bytes of one emoji share it", () => {
  const pieces = cutIntoPieces(
    "🙂!",
    tokensEvent(
      ["⟨F0⟩", "⟨9F⟩", "!"],
      [
        [0, 1],
        [0, 1],
        [1, 2],
      ],
    ),
  );
  expect(pieces).toEqual([
    { text: "🙂", tokens: [0, 1] },
    { text: "!", tokens: [2] },
  ]);
});

test("what the tokenizer dropped stays in the text", () => {
  const pieces = cutIntoPieces(
    "one  two ",
    tokensEvent(
      ["one", "two"],
      [
        [0, 3],
        [5, 8],
      ],
    ),
  );
  expect(pieces.map(({ tokens, text }) => [tokens, text])).toEqual([
    [[0], "one"],
    [[], "  "],
    [[1], "two"],
    [[], " "],
  ]);
});

test("a token that the tokenizer added shows its own name", () => {
  expect(
    textsOf(
      "hi",
      tokensEvent(
        ["hi", "</s>"],
        [
          [0, 2],
          [0, 0],
        ],
        [false, true],
      ),
    ),
  ).toEqual(["hi", "</s>"]);
});

test("without the text the tokens speak for themselves", () => {
  expect(textsOf(null, tokensEvent(["19", "42"]))).toEqual(["19", "42"]);
});

test("pieces put together are the text again, whatever the script", () => {
  const text = "cafe\u0301 مرحبا 東京 👩‍🚀";
  const characters = Array.from(text);
  const offsets = characters.map((_, index) => [index, index + 1] as [number, number]);
  expect(textsOf(text, tokensEvent(characters, offsets)).join("")).toBe(text);
});

test("a byte of a character is called by the character and its place", () => {
  const tokens = tokensEvent(
    ["⟨D9⟩", "⟨85⟩", " a"],
    [
      [0, 1],
      [0, 1],
      [1, 3],
    ],
  );
  expect(tokenNames("م a", tokens)).toEqual(["م 1/2", "م 2/2", "·a"]);
});

test("spaces and line ends can be seen", () => {
  expect(visible(" a\n\tb")).toBe("·a⏎⇥b");
});
