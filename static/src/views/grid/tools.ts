/** How the grid is sorted, searched and shortened: two menus in the panel's head, a field and its chips above the maps. */
import { button, element, setText } from "../../dom/element";
import { count as digits } from "../../dom/numbers";
import { createMenu } from "../../dom/menu";
import { announce } from "../../dom/tooltip";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { CHANGE, isJump, sortableBy } from "../../state/heads";
import { MEASURES } from "../../state/labels";
import type { Listing } from "../../state/listing";
import { DEFAULT_VIEW } from "../../state/view";
import { type Store, watch } from "../../state/store";
import { mountChips } from "./chips";

const MOST = [6, 12, 24, 48];
/** A count is spoken when the hand rests. */
const SPEAK_MS = 700;

/** Gives the search field. */
export function mountGridTools(
  tools: HTMLElement,
  host: HTMLElement,
  explorer: Explorer,
  listing: Store<Listing>,
  grid: HTMLElement,
): HTMLInputElement {
  const { view, run } = explorer;
  const sort = createMenu(say("Sort"), (name) => view.update((now) => ({ ...now, sort: name })));
  const most = createMenu(say("How many"), (count) => view.update((now) => ({ ...now, most: Number(count) || null })));
  tools.append(sort.root, most.root);

  const search = element("input", {
    type: "search",
    class: "grid-search",
    "aria-label": say("Find heads"),
    "aria-keyshortcuts": "/",
    placeholder: say("Find: induction, L4, entropy < 1"),
    autocomplete: "off",
    spellcheck: "false",
  });
  const chips = mountChips(explorer, listing);
  const count = element("span", {});
  const shown = element(
    "p",
    { class: "grid-count aside", hidden: true },
    count,
    button(say("Show all"), { class: "quiet" }, () => showEveryHead(explorer)),
  );
  host.append(element("div", { class: "grid-find", role: "search" }, search, chips.trigger), chips.list, shown);

  search.addEventListener("input", () => find(search.value));
  search.addEventListener("keydown", (event) => {
    const first = listing.value.heads[0];
    if (event.key === "Enter" && first) {
      // One head by its name is a jump: the grid around it is of use, a grid of one is not.
      if (isJump(search.value, run.value.sites)) find("");
      explorer.select(first);
    } else if (event.key === "Escape") find("");
    else if (event.key !== "ArrowDown") return;
    event.preventDefault();
    event.stopPropagation();
    grid.focus();
  });

  function find(text: string): void {
    view.update((now) => ({ ...now, find: text }));
  }

  let timer: ReturnType<typeof setTimeout> | undefined;
  function speak(): void {
    clearTimeout(timer);
    timer = setTimeout(() => announce(listing.value.reason ?? countInWords()), SPEAK_MS);
  }

  function countInWords(): string {
    const { heads, all } = listing.value;
    return heads.length === all
      ? say("{all} heads, from high to low", { all: digits(all) })
      : say("{n} of {all} heads", { n: digits(heads.length), all: digits(all) });
  }

  function show(): void {
    const { sort: order, most: limit, find: text } = view.value;
    const measures = sortableBy(run.value.sites);
    sort.setChoices(
      [
        { value: "layer", label: say("by layer"), detail: say("A row for each layer, a column for each head.") },
        ...(explorer.change.value || order === CHANGE
          ? [{ value: CHANGE, label: say("change"), detail: say("How far its rows are apart in the two runs.") }]
          : []),
        ...measures.map(({ name, title, meaning }) => ({ value: name, label: title, detail: meaning })),
      ],
      order,
    );
    if (order === CHANGE) sort.setLabel(say("change"));
    else sort.setLabel(order === "layer" ? say("by layer") : (MEASURES.find(({ name }) => name === order)?.title ?? order));
    const counts = limit === null || MOST.includes(limit) ? MOST : [...MOST, limit].sort((a, b) => a - b);
    most.setChoices(
      [
        { value: "all", label: say("all") },
        ...counts.map((n) => ({ value: String(n), label: say("top {n}", { n }) })),
      ],
      String(limit ?? "all"),
    );
    most.setLabel(limit === null ? say("all") : say("top {n}", { n: limit }));
    if (search.value !== text) search.value = text;
    shown.hidden = listing.value.isWhole;
    setText(count, countInWords());
  }

  watch([view, run, listing, explorer.change], show);
  let query = queryNow();
  view.subscribe(() => {
    const next = queryNow();
    if (next !== query) speak();
    query = next;
  });
  function queryNow(): string {
    return [view.value.sort, view.value.find, view.value.most].join("\n");
  }
  show();
  return search;
}

/** Back to the whole grid by layer. */
function showEveryHead({ view }: Explorer): void {
  const { sort, find, most } = DEFAULT_VIEW;
  view.update((now) => ({ ...now, sort, find, most }));
}
