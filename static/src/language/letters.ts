/** Letters of any script: the direction in which they run, and cutting without breaking one. */
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
