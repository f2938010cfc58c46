/** The models as cards: what each is, a text to read with it, and for who may change it a form, and the way out. */
import { button, element, setText } from "../../dom/element";
import { shortCount, sizeOf } from "../../language/amounts";
import { day } from "../../language/dates";
import { say } from "../../language/say";
import { downloadAddress, type LibraryPage, type Model } from "../../state/library_page";
import { openEditor } from "./editor";
import { openRemoval } from "./removing";

const STATES: Record<Model["state"], string> = {
  ready: say("in memory"),
  loading: say("loading"),
  cold: say("on disk"),
  missing: say("its files are gone"),
};
const VISIBILITIES: Record<NonNullable<Model["visibility"]>, string> = {
  private: say("only you"),
  link: say("whoever has the link"),
  site: say("everybody here"),
};

export function mountCards(host: HTMLElement, page: LibraryPage): void {
  const search = element("input", { type: "search", id: "library-search", placeholder: say("Name, family, owner"), autocomplete: "off" });
  const count = element("span", { class: "aside", role: "status" });
  const list = element("ul", { class: "model-cards" });
  host.append(
    element("div", { class: "library-find" }, element("label", { for: "library-search" }, say("Find a model")), search, count),
    list,
  );
  search.addEventListener("input", () => page.search.set(search.value));
  const show = () => {
    const found = page.found;
    list.replaceChildren(...found.map((model) => card(model, page)));
    if (page.models.value === null) setText(count, say("Looking for models."));
    else setText(count, found.length === page.models.value.length ? say("{n} models", { n: found.length }) : say("{n} of {all} models", { n: found.length, all: page.models.value.length }));
  };
  page.models.subscribe(show);
  page.search.subscribe(show);
  show();
}

function card(model: Model, page: LibraryPage): HTMLElement {
  const drawer = element("div", { class: "model-drawer" });
  const close = () => drawer.replaceChildren();
  const mine = model.can_change === true;
  return element(
    "li",
    { class: "model-card", id: `model-${model.id}` },
    element("div", { class: "model-head" }, element("h3", {}, model.name), element("span", { class: "aside" }, STATES[model.state])),
    element("p", { class: "model-shape" }, shape(model)),
    model.sentence ? element("p", { class: "model-sentence" }, model.sentence) : element("p", { class: "model-sentence aside" }, say("Nothing is said of it yet.")),
    facts(model),
    licence(model),
    reader(model, page),
    element(
      "div",
      { class: "model-tools" },
      element("a", { class: "quiet", href: downloadAddress(model.id), download: "" }, say("Download")),
      mine && button(say("Edit"), { class: "quiet", "aria-label": `${say("Edit")}: ${model.name}` }, () => openEditor(drawer, model, page, close)),
      mine && button(say("Delete"), { class: "quiet", "aria-label": `${say("Delete")}: ${model.name}` }, () => void openRemoval(drawer, model, page, close)),
    ),
    drawer,
  );
}

/** "gpt2 · decoder · 12 layers × 12 heads · 124 M parameters". */
function shape(model: Model): string {
  const layers = model.encoder_layers && model.encoder_layers !== model.layers ? `${model.encoder_layers} + ${model.layers}` : String(model.layers);
  return [
    model.family,
    say("{layers} layers × {heads} heads", { layers, heads: model.heads }),
    say("{n} parameters", { n: shortCount(model.parameters) }),
  ].join(" · ");
}

function facts(model: Model): HTMLElement {
  const told: [string, string][] = [
    [say("Stored as"), `${model.dtype ?? "F32"}, ${sizeOf(model.size_bytes)}`],
    [say("Brought by"), model.owner ?? say("nobody in particular")],
    [say("Seen by"), VISIBILITIES[model.visibility ?? "site"]],
    [say("Last used"), model.last_used_at ? day(model.last_used_at) : say("not yet")],
  ];
  return element("dl", { class: "model-facts" }, ...told.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function licence(model: Model): HTMLElement | null {
  if (!model.licence) return null;
  return element("details", { class: "model-licence" }, element("summary", {}, say("Licence")), element("pre", {}, model.licence));
}

/** A text of one's own, or one of the model's examples. */
function reader(model: Model, page: LibraryPage): HTMLElement | null {
  if (model.state === "missing" || model.architecture === "vision" || !model.has_tokenizer) return null;
  const text = element("input", { type: "text", id: `read-${model.id}`, value: model.examples[0]?.text ?? "", placeholder: say("A text for it to read"), required: true, "aria-label": say("A text for {name} to read", { name: model.name }) });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const form = element("form", { class: "model-read" }, text, element("button", { type: "submit", class: "primary" }, say("Read it")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void page.read(model.id, text.value).then((wrong) => {
      problem.hidden = wrong === null;
      setText(problem, wrong?.message ?? "");
    });
  });
  const examples = model.examples.filter((example) => example.text).slice(1, 4);
  const others = examples.map((example) => button(example.title, { class: "quiet model-example", title: example.text }, () => (text.value = example.text)));
  return element("div", {}, form, problem, others.length > 0 && element("div", { class: "model-examples" }, ...others));
}
