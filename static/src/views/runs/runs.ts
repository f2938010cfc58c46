/** The list of one's runs: a small picture of each, what it read, its tags; search, filters, two to compare. */
import { button, element, setText } from "../../dom/element";
import { announce } from "../../dom/tooltip";
import { dayAndTime } from "../../language/dates";
import { shorten } from "../../language/letters";
import { say } from "../../language/say";
import { EVERYTHING, type History, type RunSummary, tagsOf, thumbnailOf, type Wanted } from "../../state/history";

const LONGEST_NAME = 90;
const QUIET_MS = 250;
const STATES: Record<RunSummary["state"], string> = {
  queued: say("waiting for a worker"),
  running: say("running"),
  finished: say("finished"),
  failed: say("failed"),
  cancelled: say("stopped"),
};
const KINDS: Record<RunSummary["kind"], string> = {
  trace: say("read"),
  generate: say("written"),
  train: say("training"),
};

/** `hasOwners`: whether people sign in here, so that a run may be one's own. */
export function mountRuns(host: HTMLElement, history: History, hasOwners: boolean): void {
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const list = element("ul", { class: "runs" });
  const empty = element("p", { class: "runs-empty", role: "status" });
  const more = button(say("Show more"), { class: "quiet", hidden: true }, () => void history.more());
  const compare = element("a", { class: "primary runs-compare" }, say("Compare the two"));
  host.append(tools(history, compare), problem, list, empty, more);

  function draw(): void {
    const runs = history.runs.value;
    list.replaceChildren(...(runs ?? []).map((run) => rowOf(run, history, hasOwners)));
    const isFiltered = Object.values(history.wanted.value).some(Boolean);
    const none = isFiltered ? say("No run fits. Search for less.") : say("No runs yet. Open Headlight and type a text.");
    setText(empty, runs === null ? say("Reading …") : runs.length ? "" : none);
  }
  history.runs.subscribe(draw);
  history.hasMore.subscribe((has) => (more.hidden = !has));
  history.problem.subscribe((error) => {
    problem.hidden = error === null;
    setText(problem, error?.message ?? "");
  });
  history.chosen.subscribe((chosen) => {
    const address = history.comparison;
    if (address) compare.setAttribute("href", address);
    compare.hidden = !address;
    for (const box of list.querySelectorAll<HTMLInputElement>(".run-choose")) box.checked = chosen.includes(box.value);
    if (chosen.length === 1) announce(say("Choose a second run to compare it with"));
  });
  compare.hidden = true;
  draw();
}

function tools(history: History, compare: HTMLElement): HTMLElement {
  const search = element("input", { type: "search", placeholder: say("Search texts, names and tags"), "aria-label": say("Search") });
  search.value = history.wanted.value.search;
  let timer: ReturnType<typeof setTimeout> | undefined;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => history.wanted.update((wanted) => ({ ...wanted, search: search.value })), QUIET_MS);
  });
  const tag = element("button", { type: "button", class: "chip", title: say("Show all tags again") });
  const showTag = ({ tag: name }: Wanted) => {
    tag.hidden = !name;
    setText(tag, `${name} ✕`);
  };
  tag.addEventListener("click", () => history.wanted.update((wanted) => ({ ...wanted, tag: EVERYTHING.tag })));
  history.wanted.subscribe(showTag);
  showTag(history.wanted.value);
  return element(
    "div",
    { class: "runs-tools", role: "search" },
    search,
    filter(history, "kind", say("All kinds"), KINDS),
    filter(history, "state", say("All states"), STATES),
    tag,
    compare,
  );
}

function filter(history: History, name: "kind" | "state", all: string, names: Record<string, string>): HTMLSelectElement {
  const choices = [["", all], ...Object.entries(names)] as [string, string][];
  const select = element("select", { "aria-label": all }, ...choices.map(([value, label]) => element("option", { value }, label)));
  select.value = history.wanted.value[name];
  select.addEventListener("change", () => history.wanted.update((wanted) => ({ ...wanted, [name]: select.value })));
  return select;
}

function rowOf(run: RunSummary, history: History, hasOwners: boolean): HTMLElement {
  const name = run.title || shorten(run.text ?? (run.picture ? say("A picture") : say("Tokens by their ids")), LONGEST_NAME);
  const choose = element("input", { type: "checkbox", class: "run-choose", value: run.id, "aria-label": say("Compare {name}", { name }) });
  choose.checked = history.chosen.value.includes(run.id);
  choose.addEventListener("change", () => history.choose(run.id, choose.checked));
  const isMap = run.kind !== "train";
  choose.disabled = run.state !== "finished" || !isMap;
  const picture = isMap
    ? element("img", { src: thumbnailOf(run.id), alt: "", width: 48, height: 48, loading: "lazy" })
    : element("span", { class: "run-none" });
  const facts = [KINDS[run.kind], run.model ?? "", STATES[run.state], dayAndTime(run.created_at)];
  const words = element(
    "div",
    { class: "run-words" },
    element("a", { href: run.page, dir: "auto" }, name),
    run.title && run.text ? element("span", { class: "run-text", dir: "auto" }, shorten(run.text, LONGEST_NAME)) : null,
    element("span", { class: "run-facts" }, facts.filter(Boolean).join(" · ")),
    element("span", { class: "run-tags" }, ...run.tags.map((tag) => tagChip(tag, history))),
  );
  return element("li", { class: run.pinned ? "run run-pinned" : "run" }, choose, picture, words, ...actions(run, name, words, history, hasOwners));
}

function tagChip(tag: string, history: History): HTMLElement {
  return button(tag, { class: "chip", title: say("Only runs with this tag") }, () =>
    history.wanted.update((wanted) => ({ ...wanted, tag })),
  );
}

function actions(run: RunSummary, name: string, words: HTMLElement, history: History, hasOwners: boolean): HTMLElement[] {
  if (!run.mine) return [element("span", { class: "run-facts" }, say("shown to all"))];
  const label = run.pinned ? say("Unpin") : say("Pin");
  const pin = button(label, { class: "quiet", "aria-pressed": String(run.pinned) }, () => void history.change(run.id, { pinned: !run.pinned }));
  const rename = button(say("Name"), { class: "quiet", title: say("Give it a name and tags") }, () => words.replaceWith(form(run, history)));
  const show = button(run.visible ? say("Hide") : say("Show"), { class: "quiet", title: say("Whether everybody here sees it") }, () =>
    void history.change(run.id, { visible: !run.visible }),
  );
  return [pin, rename, ...(hasOwners ? [show] : []), deleteButton(run, name, history)];
}

/** Asks once more by its own words, and forgets the question when the focus leaves. */
function deleteButton(run: RunSummary, name: string, history: History): HTMLElement {
  let isAsked = false;
  const remove = button(say("Delete"), { class: "quiet danger", "aria-label": say("Delete {name}", { name }) }, () => {
    if (isAsked) return void history.delete(run.id);
    isAsked = true;
    setText(remove, say("Really delete"));
    remove.setAttribute("aria-label", say("Really delete {name}", { name }));
  });
  remove.addEventListener("blur", () => {
    isAsked = false;
    setText(remove, say("Delete"));
    remove.setAttribute("aria-label", say("Delete {name}", { name }));
  });
  return remove;
}

function form(run: RunSummary, history: History): HTMLElement {
  const title = element("input", { type: "text", maxlength: 120, "aria-label": say("Name"), placeholder: say("Name") });
  const tags = element("input", { type: "text", maxlength: 300, "aria-label": say("Tags"), placeholder: say("Tags, with commas between") });
  title.value = run.title;
  tags.value = run.tags.join(", ");
  const made = element("form", { class: "run-form" }, title, tags, element("button", { type: "submit", class: "primary" }, say("Keep")));
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    void history.change(run.id, { title: title.value.trim(), tags: tagsOf(tags.value) });
  });
  setTimeout(() => title.focus());
  return made;
}
