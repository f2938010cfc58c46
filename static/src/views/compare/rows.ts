/** The rows of the chosen head that changed most, in words: where the token looked before, and where it looks now. */
import { button, element, setText } from "../../dom/element";
import { share } from "../../dom/numbers";
import { say } from "../../language/say";
import type { ChangedRow, Comparison } from "../../state/compare";
import type { Explorer } from "../../state/explorer";
import { namesOf, sequencesOf, type Site } from "../../state/run";
import { watch } from "../../state/store";

const SMALLEST = 0.0005;

export function mountChangedRows(host: HTMLElement, explorer: Explorer, comparison: Comparison): void {
  const title = element("h3", {}, say("Rows that changed most"));
  const list = element("ol", { class: "compare-changes" });
  const none = element("p", { class: "aside" });
  host.append(title, none, list);

  function show(): void {
    const head = comparison.head;
    const site = head && comparison.first.sites.get(head.site);
    const rows = head && site ? head.rows.filter(({ distance }) => distance >= SMALLEST) : [];
    list.replaceChildren(
      ...rows.map((row) =>
        element(
          "li",
          {},
          button(site ? wordsOf(row, site, comparison) : "", { class: "compare-change" }, () => {
            if (site) explorer.lock({ sequence: sequencesOf(site).rows, index: row.row }, row.a.key);
          }),
          element("span", { class: "compare-value", title: say("Distance of this row in the two runs, 0 to 1") }, row.distance.toFixed(2)),
        ),
      ),
    );
    none.hidden = rows.length > 0;
    if (!head) setText(none, comparison.found.value ? say("This head is in one run only.") : "");
    else setText(none, say("No row of this head changed."));
  }

  watch([comparison.found, comparison.other, explorer.selection, explorer.run], show);
  show();
}

/** What it looked at most, sinks left out. */
function wordsOf({ row, partner, a, b }: ChangedRow, site: Site, comparison: Comparison): string {
  const { rows, columns } = sequencesOf(site);
  const [namesA, namesB] = [namesOf(comparison.first, columns), namesOf(comparison.other.value, columns)];
  const [from, to] = [namesA[a.key] ?? a.key, namesB[b.key] ?? b.key];
  const tokens = [namesOf(comparison.first, rows)[row] ?? "", namesOf(comparison.other.value, rows)[partner] ?? ""];
  const token = tokens[0] === tokens[1] ? say("‘{token}’", { token: tokens[0] ?? "" }) : say("‘{a}’ / ‘{b}’", { a: tokens[0] ?? "", b: tokens[1] ?? "" });
  const isSameKey = comparison.partners(columns, "a")[a.key] === b.key;
  const values = { row, token, from, to, before: share(a.weight), after: share(b.weight) };
  return isSameKey
    ? say("row {row} {token}: ‘{to}’ from {before} to {after}", values)
    : say("row {row} {token}: from ‘{from}’ {before} to ‘{to}’ {after}", values);
}
