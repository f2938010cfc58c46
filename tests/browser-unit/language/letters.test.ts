import { expect, test } from "vitest";
import { directionOf, shorten } from "../../../static/src/language/letters";

test("a text's direction is that of its first letter", () => {
  expect([" مرحبا", "·abc", "12", " שלום"].map(directionOf)).toEqual(["rtl", "ltr", "ltr", "rtl"]);
});

test("a long token is cut in its middle, never inside a character", () => {
  expect(shorten("counterrevolution", 9)).toBe("coun…tion");
  expect(shorten("👩‍🚀👩‍🚀👩‍🚀👩‍🚀", 3)).toBe("👩‍🚀…👩‍🚀");
  expect(shorten("short", 9)).toBe("short");
});
