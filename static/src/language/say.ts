/**
 * The page's words. Code says them in English; a language is a file, `webapp/languages/CODE.json`, that says the same
 * otherwise: {"Copy link": "Link kopieren"}. The server lays the visitor's file into the page; what it lacks stays
 * English. Templates say their words through the tag of the same name (webapp/language.py).
 */
const words: Readonly<Record<string, string>> = readWords();

/** In the page's language. `{name}` in a text is replaced by the value of that name: say("{n} heads", { n: 12 }). */
export function say(text: string, values: Readonly<Record<string, string | number>> = {}): string {
  const said = words[text] ?? text;
  return said.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

function readWords(): Record<string, string> {
  const laid = typeof document === "undefined" ? null : document.getElementById("language")?.textContent;
  return laid ? (JSON.parse(laid) as Record<string, string>) : {};
}
