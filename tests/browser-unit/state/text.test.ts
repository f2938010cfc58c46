import { expect, test } from "vitest";
import { cutIntoPieces, joinIntoWords, tokenNames, unitIndex, visible } from "../../../static/src/state/text";
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

/** Words of a text whose tokens are given by their texts, which together are the text; «…» marks a special one. */
function wordsOf(...tokens: string[]): string[] {
  const special = tokens.map((token) => token.startsWith("«"));
  return joinIntoWords(
    tokens.map((text, token) => ({ text, tokens: [token] })),
    special,
  ).map(({ text }) => text);
}

test("tokens between spaces make one word, with the space before it", () => {
  expect(wordsOf("Z", "eb", "ul", "on", " the", " b", "aker")).toEqual(["Zebulon", " the", " baker"]);
});

test("a token that is only a space belongs to the word that follows, a line end to none", () => {
  expect(wordsOf("a", " ", "мир", "\n", "b")).toEqual(["a", " мир", "\n", "b"]);
});

test("marks stand alone at the edges of a word and belong to it within", () => {
  expect(wordsOf(" (", "eight", "y", "-", "nine", ")", ".", " don", "'", "t", " ...")).toEqual([
    " (",
    "eighty-nine",
    ")",
    ".",
    " don't",
    " ...",
  ]);
});

test("special tokens stand alone", () => {
  expect(wordsOf("«s»", "hel", "lo", "«/s»", "a")).toEqual(["«s»", "hello", "«/s»", "a"]);
});

test("in scripts without spaces a word ends where the language ends it", () => {
  expect(wordsOf("私", "は", "東", "京", "に", "住", "んで", "いま", "す")[2]).toBe("東京");
  expect(wordsOf("我", "喜", "欢", "音", "乐")).toEqual(["我", "喜欢", "音乐"]);
});

test("right-to-left words keep their letters together", () => {
  expect(wordsOf("مر", "حبا", " بال", "عالم", "،", " ש", "לום")).toEqual(["مرحبا", " بالعالم", "،", " שלום"]);
});

test("no word begins within a character", () => {
  expect(wordsOf("👍", "🏽", "!", " e", "\u0301", "t", "é")).toEqual(["👍🏽", "!", " e\u0301té"]);
});

test("words put together are the text again, with what the tokenizer dropped", () => {
  const pieces = [
    { text: "one", tokens: [0] },
    { text: "  ", tokens: [] },
    { text: "tw", tokens: [1] },
    { text: "o", tokens: [2, 3] },
    { text: " ", tokens: [] },
  ];
  expect(joinIntoWords(pieces, [])).toEqual([
    { text: "one", tokens: [0] },
    { text: "  ", tokens: [] },
    { text: "two", tokens: [1, 2, 3] },
    { text: " ", tokens: [] },
  ]);
});

test("a special token that was typed, a mask, stands in its text once", () => {
  const tokens = tokensEvent(
    ["[CLS]", "a", "[MASK]", "[SEP]"],
    [
      [0, 0],
      [0, 1],
      [2, 8],
      [0, 0],
    ],
    [true, false, true, true],
  );
  expect(textsOf("a [MASK]", tokens)).toEqual(["[CLS]", "a", " ", "[MASK]", "[SEP]"]);
});
