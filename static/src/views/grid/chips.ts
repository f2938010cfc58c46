/** What the grid can be searched for, as buttons: labels that occur, kinds of attention, layers, picked heads. */
import { button, element } from "../../dom/element";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { hasTerm, readFind, type Term, toggleTerm } from "../../state/find";
import { labelCounts } from "../../state/heads";
import type { Listing } from "../../state/listing";
import { headName, isSameHead } from "../../state/sites";
import { type Store, watch } from "../../state/store";

interface Chip {
  label: string;
  /** What it adds to the search. */
  term: string;
  count?: number;
}

export function mountChips(
  explorer: Explorer,
  listing: Store<Listing>,
): { trigger: HTMLElement; list: HTMLElement } {
  const { run, view, selection } = explorer;
  const list = element("div", { id: "grid-chips", class: "grid-chips", role: "group", hidden: true });
  list.setAttribute("aria-label", say("Show heads"));
  const trigger = button(
    say("Show"),
    { class: "quiet", "aria-expanded": "false", "aria-controls": list.id, title: say("Labels, layers and picked heads") },
    () => open(Boolean(list.hidden)),
  );
  trigger.append(element("span", { class: "menu-arrow", "aria-hidden": "true" }, "▾"));

  function open(isOpen: boolean): void {
    list.hidden = !isOpen;
    trigger.setAttribute("aria-expanded", String(isOpen));
    show();
  }

  function show(): void {
    if (list.hidden) return;
    const focused = list.contains(document.activeElement) ? document.activeElement?.textContent : null;
    const counts = labelCounts(run.value.sites);
    const labels = counts.map(({ title }) => title);
    const terms = readFind(view.value.find, labels);
    const chip = (made: Chip) => chipButton(made, terms, labels);
    list.replaceChildren(
      ...[
        row(say("Labels"), counts.map(({ title, count }) => chip({ label: title, term: title, count }))),
        row(say("Attention"), kinds().map(chip)),
        row(say("Layers"), layers().map(chip)),
        row(say("Picked by hand"), pickedChips(chip)),
      ].flat(),
    );
    for (const item of list.querySelectorAll("button")) if (focused && item.textContent === focused) item.focus();
  }

  function row(title: string, buttons: HTMLElement[]): HTMLElement[] {
    if (buttons.length === 0) return [];
    return [element("h3", {}, title), element("div", { class: "chip-row", role: "group", "aria-label": title }, ...buttons)];
  }

  function chipButton({ label, term, count }: Chip, terms: readonly Term[], labels: readonly string[]): HTMLElement {
    const chip = button(label, { class: "chip", "aria-pressed": String(hasTerm(terms, term)) }, () =>
      view.update((now) => ({ ...now, find: toggleTerm(now.find, term, labels) })),
    );
    if (count !== undefined) chip.append(" ", element("span", { class: "chip-count" }, String(count)));
    return chip;
  }

  function kinds(): Chip[] {
    const { groups } = listing.value;
    if (groups.length < 2) return [];
    return groups.map(({ stack, kind }) => {
      if (kind === "cross") return { label: say("cross-attention"), term: "cross" };
      return stack === "encoder" ? { label: say("encoder"), term: "encoder" } : { label: say("decoder"), term: "decoder" };
    });
  }

  function layers(): Chip[] {
    const count = Math.max(0, ...listing.value.groups.map(({ sites }) => sites.length));
    return Array.from({ length: count }, (_, layer) => ({ label: `L${layer}`, term: `L${layer}` }));
  }

  function pickedChips(chip: (made: Chip) => HTMLElement): HTMLElement[] {
    const selected = selection.value;
    const { picked } = view.value;
    if (!selected) return [];
    const isPicked = picked.some((ref) => isSameHead(ref, selected));
    const name = headName(selected.site, selected.head);
    return [
      chip({ label: say("picked"), term: "picked", count: picked.length }),
      button(
        isPicked ? say("Let {name} go", { name }) : say("Pick {name}", { name }),
        { class: "quiet", title: say("Also by “p” on the grid, or Ctrl and a press") },
        () => explorer.pick(selected),
      ),
    ];
  }

  function closeByKey(event: KeyboardEvent): void {
    if (event.key !== "Escape" || list.hidden) return;
    event.stopPropagation();
    open(false);
    trigger.focus();
  }
  list.addEventListener("keydown", closeByKey);
  trigger.addEventListener("keydown", closeByKey);
  watch([run, view, selection, listing], show);
  return { trigger, list };
}
