/** Letters of any script: the direction in which they run, where characters and words begin, and cutting. */
const words = new Intl.Segmenter(undefined, { granularity: "word" });
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The direction in which a text runs, from its first letter that has one. */
export function directionOf(text: string): "ltr" | "rtl" {
  const first = /\p{L}/u.exec(text)?.[0] ?? "";
  return /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u.test(first)
    ? "rtl"
    : "ltr";
}

/** A long token cut in its middle, never inside a character: "counter…tion". */
export function shorten(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const characters = Array.from(graphemes.segment(text), ({ segment }) => segment);
  if (characters.length <= longest) return text;
  const tail = Math.floor((longest - 1) / 2);
  const head = longest - 1 - tail;
  return [...characters.slice(0, head), "…", ...(tail ? characters.slice(-tail) : [])].join("");
}

/** Where characters, as a person counts them, begin: in UTF-16 units. */
export function graphemeStarts(text: string): Set<number> {
  return new Set(Array.from(graphemes.segment(text), ({ index }) => index));
}

/** Where words begin or end, as a dictionary of the language has them. */
export function wordStarts(text: string): Set<number> {
  return new Set(Array.from(words.segment(text), ({ index }) => index));
}

/** Whether a letter is of a script that puts no spaces between words. */
export function writesWithoutSpaces(letter: string): boolean {
  return /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー々]/u.test(
    letter,
  );
}
