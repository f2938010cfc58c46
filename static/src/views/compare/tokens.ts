/**
 * Both texts, one above the other: a token without a partner is dashed. Hovering marks the row in the maps. By hand, a
 * token of A is pressed and then the token of B that it belongs to.
 */
import { button, element, setAttributes, setText } from "../../dom/element";
import { announce } from "../../dom/tooltip";
import { say } from "../../language/say";
import type { Comparison, Side } from "../../state/compare";
import type { Explorer } from "../../state/explorer";
import { NOBODY, readPairs, withPair, writePairs } from "../../state/partners";
import { namesOf, type SequenceName, sequencesOf } from "../../state/run";
import { watch } from "../../state/store";

/** Elements for every token of a long text would take longer than they help. */
const MOST_TOKENS = 600;

export function mountBothTexts(host: HTMLElement, explorer: Explorer, comparison: Comparison): void {
  const byHand = button(say("Pair by hand"), { class: "quiet", "aria-pressed": "false" }, () => pairByHand(!isPairing));
  // A share keeps them as they were paired.
  byHand.hidden = explorer.shared !== null;
  const guide = element("p", { class: "aside", role: "status" });
  const made = element("ul", { class: "compare-pairs", "aria-label": say("Paired by hand") });
  const lines = { a: element("div", { class: "compare-line" }), b: element("div", { class: "compare-line" }) };
  host.append(element("header", { class: "compare-texts-head" }, element("h3", {}, say("Both texts")), byHand, guide, made), lines.a, lines.b);
  let isPairing = false;
  let picked: { sequence: SequenceName; index: number } | null = null;
  let drawn: unknown[] = [];

  function pairByHand(on: boolean): void {
    isPairing = on;
    picked = null;
    show();
  }

  function press(side: Side, sequence: SequenceName, index: number): void {
    if (!isPairing) {
      const own = side === "a" ? index : (comparison.partners(sequence, "b")[index] ?? NOBODY);
      if (own !== NOBODY) explorer.lock({ sequence, index: own });
    } else if (side === "a") {
      picked = { sequence, index };
      show();
    } else if (picked?.sequence === sequence) {
      const pairs = withPair(readPairs(explorer.view.value.pairs), { sequence, a: picked.index, b: index });
      picked = null;
      explorer.view.update((view) => ({ ...view, pairs: writePairs(pairs) }));
      announce(say("Paired"));
    }
  }

  function show(): void {
    if (!comparison.isOn.value) return;
    const site = explorer.selection.value && comparison.first.sites.get(explorer.selection.value.site);
    const sequences = site ? [...new Set(Object.values(sequencesOf(site)))] : [];
    // Each layer that arrives is told, too; thousands of tokens are made anew only where they change.
    const tokens = (["a", "b"] as const).flatMap((side) => sequences.map((name) => comparison.runOf(side).sequences[name]));
    const now = [comparison.found.value, ...tokens];
    if (now.length !== drawn.length || now.some((part, place) => part !== drawn[place]))
      for (const side of ["a", "b"] as const) redraw(side, sequences);
    drawn = now;
    byHand.setAttribute("aria-pressed", String(isPairing));
    setText(guide, guideNow());
    showMade();
    mark();
  }

  /** The focus stays on its token. */
  function redraw(side: Side, sequences: SequenceName[]): void {
    const line = lines[side];
    const focused = line.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.place : undefined;
    line.replaceChildren(...lineOf(side, sequences));
    if (focused) line.querySelector<HTMLElement>(`[data-place="${focused}"]`)?.focus();
  }

  function lineOf(side: Side, sequences: SequenceName[]): Node[] {
    const tokens = sequences.flatMap((sequence) => {
      const partners = comparison.partners(sequence, side);
      return namesOf(comparison.runOf(side), sequence)
        .slice(0, MOST_TOKENS)
        .map((name, index) => {
          const isAlone = comparison.found.value !== null && partners[index] === NOBODY;
          const token = button(
            name,
            {
              class: isAlone ? "compare-token compare-alone" : "compare-token",
              "data-place": `${sequence}.${index}`,
              dir: "auto",
              title: isAlone ? say("No partner in the other run") : null,
              "aria-label": isAlone ? say("{token}, no partner", { token: name }) : null,
            },
            () => press(side, sequence, index),
          );
          token.addEventListener("pointerenter", () => point(side, sequence, index));
          token.addEventListener("pointerleave", () => comparison.pointed.set(null));
          return token;
        });
    });
    return [element("span", { class: "compare-side", "aria-hidden": "true" }, side.toUpperCase()), ...tokens];
  }

  function point(side: Side, sequence: SequenceName, index: number): void {
    const site = explorer.selection.value && comparison.first.sites.get(explorer.selection.value.site);
    if (!site) return;
    const isRow = sequencesOf(site).rows === sequence;
    comparison.pointed.set(comparison.placesOf(site, side, isRow ? index : null, isRow ? null : index));
  }

  function mark(): void {
    const site = explorer.selection.value && comparison.first.sites.get(explorer.selection.value.site);
    const pointed = comparison.pointed.value;
    for (const side of ["a", "b"] as const) {
      for (const token of lines[side].querySelectorAll<HTMLElement>("[data-place]")) {
        const [sequence, index] = (token.dataset.place ?? "").split(".");
        const isIn = (place: number | null | undefined, of: SequenceName) => sequence === of && String(place) === index;
        token.classList.toggle("compare-row", Boolean(site && isIn(pointed?.row[side], sequencesOf(site).rows)));
        token.classList.toggle("compare-col", Boolean(site && isIn(pointed?.col[side], sequencesOf(site).columns)));
        const isPicked = isPairing && side === "a" ? String(picked !== null && isIn(picked.index, picked.sequence)) : null;
        setAttributes(token, { "aria-pressed": isPicked });
      }
    }
  }

  function guideNow(): string {
    if (!isPairing) return "";
    return picked ? say("Now press the token of B that it belongs to.") : say("Press a token of A.");
  }

  function showMade(): void {
    const pairs = readPairs(explorer.view.value.pairs);
    made.replaceChildren(
      ...pairs.map((pair) => {
        const words = `${namesOf(comparison.first, pair.sequence)[pair.a] ?? pair.a} – ${namesOf(comparison.other.value, pair.sequence)[pair.b] ?? pair.b}`;
        if (explorer.shared) return element("li", {}, words);
        const undo = button(`${words} ✕`, { class: "quiet", "aria-label": say("Undo the pair {pair}", { pair: words }) }, () =>
          explorer.view.update((view) => ({ ...view, pairs: writePairs(pairs.filter((other) => other !== pair)) })),
        );
        return element("li", {}, undo);
      }),
    );
  }

  watch([comparison.found, comparison.other, comparison.isOn, explorer.run, explorer.selection], show);
  comparison.pointed.subscribe(mark);
  show();
}
