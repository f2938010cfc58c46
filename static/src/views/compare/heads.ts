/** All heads, the most changed first: a bar for each, and a press shows the head in both runs. */
import { button, element, setText } from "../../dom/element";
import { say } from "../../language/say";
import type { Comparison } from "../../state/compare";
import type { Explorer } from "../../state/explorer";
import { headNameInWords, headTag, isSameHead, kindTag } from "../../state/sites";
import { watch } from "../../state/store";

/** More than a list can say at once; the rest is one press away. */
const SHOWN = 40;

export function mountChangedHeads(host: HTMLElement, explorer: Explorer, comparison: Comparison): void {
  const title = element("h3", {}, say("Heads by change"));
  const explained = element(
    "p",
    { class: "aside" },
    say("How far apart their rows are in the two runs, 0 to 1, sinks left out (Jensen–Shannon distance)."),
  );
  const list = element("ol", { class: "compare-list" });
  const all = button("", { class: "quiet", hidden: true }, () => {
    isWhole = true;
    show();
  });
  host.append(title, explained, list, all);
  let isWhole = false;
  let drawn: unknown = null;

  function show(): void {
    const heads = comparison.found.value?.heads ?? [];
    const shown = isWhole ? heads : heads.slice(0, SHOWN);
    if (drawn !== heads || list.childElementCount !== shown.length) {
      drawn = heads;
      const most = heads[0]?.distance || 1;
      const severalKinds = new Set(heads.map(({ site }) => kindTag(site))).size > 1;
      list.replaceChildren(
        ...shown.map((head) => {
          const value = head.distance;
          const item = button(
            "",
            {
              class: "compare-item",
              "aria-label": `${headNameInWords(head.site, head.head)}: ${value === null ? say("not compared") : value.toFixed(3)}`,
            },
            () => explorer.select(head),
          );
          const bar = element("span", { class: "compare-bar", "aria-hidden": "true" });
          bar.style.setProperty("--share", String((value ?? 0) / most));
          item.append(
            element("span", { class: "compare-tag" }, severalKinds ? `${kindTag(head.site)} ${headTag(head)}` : headTag(head)),
            bar,
            element("span", { class: "compare-value" }, value === null ? "–" : value.toFixed(3)),
          );
          return element("li", {}, item);
        }),
      );
    }
    all.hidden = shown.length === heads.length;
    setText(all, say("Show all {n} heads", { n: heads.length }));
    [...list.querySelectorAll("button")].forEach((item, place) => {
      const isChosen = isSameHead(shown[place], explorer.selection.value);
      item.setAttribute("aria-current", String(isChosen));
    });
  }

  watch([comparison.found, explorer.selection], show);
  show();
}
