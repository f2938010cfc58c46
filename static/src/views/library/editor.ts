/** A form over a card: name, description, licence, who may use it, and the texts that it is shown with. */
import { button, element, setText } from "../../dom/element";
import { say } from "../../language/say";
import type { LibraryPage, Model } from "../../state/library_page";

export function openEditor(host: HTMLElement, model: Model, page: LibraryPage, close: () => void): void {
  const id = (name: string) => `edit-${name}-${model.id}`;
  const name = element("input", { type: "text", id: id("name"), value: model.name, maxlength: 120, required: true });
  const sentence = element("input", { type: "text", id: id("sentence"), value: model.sentence ?? "", maxlength: 300 });
  const licence = element("textarea", { id: id("licence"), rows: 3, maxlength: 65_536 });
  licence.value = model.licence ?? "";
  const examples = element("textarea", { id: id("examples"), rows: 3 });
  const plain = model.examples.filter((example) => example.text && !example.target && !example.picture);
  examples.value = plain.map((example) => example.text).join("\n");
  const visibility = element(
    "select",
    { id: id("visibility"), disabled: model.owner === null },
    ...([
      ["private", say("only you")],
      ["link", say("whoever has the link")],
      ["site", say("everybody here")],
    ] as const).map(([value, label]) => element("option", { value, selected: value === (model.visibility ?? "site") }, label)),
  );
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const form = element(
    "form",
    { class: "model-form" },
    field(say("Name"), name),
    field(say("In one sentence"), sentence),
    field(say("Texts to begin with, one a line"), examples),
    field(say("Licence"), licence),
    field(say("Seen by"), visibility),
    problem,
    element("div", { class: "model-tools" }, element("button", { type: "submit", class: "primary" }, say("Save")), button(say("Cancel"), { class: "quiet" }, close)),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void page.change(model.id, change()).then((wrong) => {
      problem.hidden = wrong === null;
      setText(problem, wrong?.message ?? "");
    });
  });
  host.replaceChildren(form);
  name.focus();

  function change() {
    const site = model.architecture === "encoder" ? "encoder.self.0" : "decoder.self.0";
    const texts = examples.value.split("\n").map((text) => text.trim()).filter(Boolean).slice(0, 12);
    const known = new Map(model.examples.map((example) => [example.text, example]));
    const told = texts.map((text) => known.get(text) ?? { title: text.slice(0, 40), text, target: "", picture: null, site, head: 0, finding: "" });
    const kept = model.examples.filter((example) => !plain.includes(example));
    return {
      name: name.value,
      sentence: sentence.value,
      licence: licence.value,
      examples: [...told, ...kept].slice(0, 12),
      ...(model.owner === null ? {} : { visibility: visibility.value as NonNullable<Model["visibility"]> }),
    };
  }
}

function field(label: string, input: HTMLElement): HTMLElement {
  return element("div", { class: "library-field" }, element("label", { for: input.id }, label), input);
}
