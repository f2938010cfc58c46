/** The kept or pointed row for those who do not see the map: its strongest keys as a table, told when it rests. */
import { element } from "../../dom/element";
import { real, share } from "../../dom/numbers";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { readingOf, type ReadingText, shownMap } from "../../state/reading";
import { namesOf, sequencesOf } from "../../state/run";
import { watch } from "../../state/store";
import { type Line, rowOf } from "../../tiles/links";
import type { Rectangles } from "../../tiles/rectangles";
import type { Totals } from "../../tiles/totals";
import { entropyWords } from "./totals";

const SHOWN = 10;
/** A crosshair that walks must not speak ten lines at every step. */
const REST_MS = 700;

export function mountRowTable(host: HTMLElement, explorer: Explorer, rectangles: Rectangles, totals: Totals): void {
  const place = element("div", { class: "visually-hidden", "aria-live": "polite", "aria-atomic": "true" });
  host.append(place);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let told = "";

  function tell(): void {
    const table = read();
    const words = table?.textContent ?? "";
    // What is said again, a screen reader speaks again.
    if (words === told) return;
    told = words;
    place.replaceChildren(...(table ? [table] : []));
  }

  function read(): HTMLTableElement | null {
    const run = explorer.run.value;
    const selected = explorer.selection.value;
    const token = explorer.active.value;
    const site = selected && run.sites.get(selected.site);
    if (!site || !run.id || !token) return null;
    const { rows, columns } = sequencesOf(site);
    if (token.sequence !== rows || token.index >= site.queries) return null;
    const map = shownMap(run, explorer.view.value, selected);
    const reading = readingOf(explorer.view.value);
    const line = rowOf(site, map, token.index, rectangles);
    const margins = map.reading ? null : totals.of(site, map, rectangles);
    const entropy = margins && token.index < margins.rows ? margins.entropy[token.index] : undefined;
    const caption = say("Row {row}, {token}, looks at:", {
      row: token.index,
      token: namesOf(run, rows)[token.index] ?? "",
    });
    return tableOf(
      entropy === undefined ? caption : `${caption} ${entropyWords(entropy)}`,
      strongestKeys(line, SHOWN),
      namesOf(run, columns),
      line.exact,
      reading,
    );
  }

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(tell, REST_MS);
  };
  watch([explorer.run, explorer.choices, explorer.selection, explorer.active], soon);
  rectangles.onArrival(soon);
}

/** The keys with the largest weights, the largest first; none without any. */
export function strongestKeys({ values }: Line, most: number): { key: number; weight: number }[] {
  return Array.from(values, (weight, key) => ({ key, weight }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, most);
}

function tableOf(
  caption: string,
  keys: { key: number; weight: number }[],
  names: readonly string[],
  exact: boolean,
  reading: ReadingText,
): HTMLTableElement {
  const heads = [say("token"), say("position"), exact ? reading.number : say("weight, at most")];
  const lines = keys.map(({ key, weight }) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, names[key] ?? String(key)),
      element("td", {}, String(key)),
      element("td", {}, reading.isShare ? share(weight) : real(weight)),
    ),
  );
  return element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...lines),
  );
}
