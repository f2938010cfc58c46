/** What a task learns from: a text or a zip of one's own, the languages, how a text is cut, the model it starts from. */
import { element, setAttributes, setText } from "../../dom/element";
import { say } from "../../language/say";
import { watch } from "../../state/store";
import type { TrainingForm } from "../../state/training_form";
import { LANGUAGES, type Plan, TOKENIZERS, VOCABULARY } from "../../state/training_plan";
import { choosesTokenizer, inTwoLanguages, learnsText, startsFrom } from "../../state/training_tasks";
import { fileDrop } from "./drop";
import { choiceField, numberField, showRefusal } from "./fields";

const FROM_A_MODEL = "model:";

export function mountMaterial(form: TrainingForm): HTMLElement {
  const parts: [HTMLElement, (plan: Plan) => boolean][] = [
    [textArea(form), ({ assignment }) => learnsText(assignment)],
    [pictures(form), ({ assignment }) => assignment === "images"],
    [languages(form), ({ assignment }) => inTwoLanguages(assignment)],
    [start(form), ({ assignment }) => startsFrom(assignment) !== null],
    [tokenizer(form), ({ assignment, start }) => choosesTokenizer(assignment) && start === null],
    [numberField(form, VOCABULARY), () => true],
  ];
  const fields = element("div", { class: "plan-fields" }, ...parts.slice(2).map(([part]) => part));
  const root = element("div", { class: "plan-material" }, ...parts.slice(0, 2).map(([part]) => part), fields);
  const show = () => {
    // The vocabulary's field knows itself when it is asked for.
    for (const [part, isShown] of parts.slice(0, -1)) part.hidden = !isShown(form.plan.value);
    root.hidden = parts.every(([part]) => part.hidden);
  };
  watch([form.plan], show);
  show();
  return root;
}

function textArea(form: TrainingForm): HTMLElement {
  const text = element("textarea", {
    name: "text",
    id: "plan-text",
    rows: 6,
    spellcheck: "false",
    "aria-describedby": "plan-text-error",
  });
  const error = element("p", { class: "problem", id: "plan-text-error" });
  const label = element("label", { for: "plan-text" });
  const drop = fileDrop(
    { id: "plan-file", accept: ".txt,.md,.tsv,.csv,text/*", label: say("Choose a file"), words: say("or drop one here") },
    (file) => form.takeText(file),
  );
  text.addEventListener("input", () => form.change({ text: text.value }));
  const show = () => {
    const { assignment, text: written } = form.plan.value;
    const isPairs = assignment === "pairs";
    setText(label, isPairs ? say("The pairs that are learned") : say("The text that is learned"));
    text.placeholder = isPairs
      ? say("A source, a tab, and its target on each line.")
      : say("Paste a text of some thousand words, or choose a file.");
    if (text.value !== (written ?? "")) text.value = written ?? "";
    showRefusal(form, "text", text, error);
  };
  watch([form.plan, form.problem], show);
  show();
  return element("div", { class: "plan-text" }, label, text, drop.root, error);
}

function pictures(form: TrainingForm): HTMLElement {
  const error = element("p", { class: "problem", id: "plan-pictures-error" });
  const drop = fileDrop(
    { id: "plan-pictures", accept: ".zip,application/zip", label: say("Choose a zip"), words: say("or drop one here: cats/1.png, dogs/1.png, a folder for each label") },
    (file) => form.takeArchive(file),
  );
  drop.input.name = "pictures";
  setAttributes(drop.input, { "aria-describedby": error.id });
  const show = () => {
    const archive = form.archive.value;
    const isThere = form.plan.value.pictures !== null;
    drop.say(
      archive?.isSending ? say("Sending {name}", { name: archive.name }) : archive?.name ?? (isThere ? say("The zip of that training") : ""),
    );
    showRefusal(form, "pictures", drop.root, error);
  };
  watch([form.plan, form.problem, form.archive], show);
  show();
  return element("div", { class: "plan-text" }, drop.root, error);
}

function languages(form: TrainingForm): HTMLElement {
  return choiceField(
    form,
    "languages",
    say("Languages"),
    () => LANGUAGES.map(({ name, title }) => ({ value: name, label: title })),
    () => form.plan.value.languages,
    (name) => form.change({ languages: name as Plan["languages"] }),
  );
}

function start(form: TrainingForm): HTMLElement {
  const choices = () => {
    const { start } = form.plan.value;
    const models = form.starts.map(({ id, name }) => ({ value: id, label: name }));
    // While models are still being listed, or where one is gone, the plan's own stands all the same.
    if (start !== null && !models.some(({ value }) => value === start)) models.push({ value: start, label: start });
    return [{ value: "", label: say("Nothing: random weights") }, ...models];
  };
  return choiceField(form, "start", say("Starts from"), choices, () => form.plan.value.start ?? "", (id) => form.startFrom(id || null));
}

function tokenizer(form: TrainingForm): HTMLElement {
  const choices = () => {
    const given = form.plan.value.tokenizer_from;
    const models = form.models.value.filter(({ has_tokenizer, state }) => has_tokenizer && state !== "missing");
    const named = models.map(({ id, name }) => ({ value: FROM_A_MODEL + id, label: say("That of {model}", { model: name }) }));
    if (given !== null && !models.some(({ id }) => id === given)) {
      named.push({ value: FROM_A_MODEL + given, label: say("That of {model}", { model: given }) });
    }
    return [...TOKENIZERS.map(({ name, title }) => ({ value: name as string, label: title })), ...named];
  };
  const field = choiceField(
    form,
    "tokenizer",
    say("Tokenizer"),
    choices,
    () => (form.plan.value.tokenizer_from === null ? form.plan.value.tokenizer : FROM_A_MODEL + form.plan.value.tokenizer_from),
    (value) => {
      const isModel = value.startsWith(FROM_A_MODEL);
      form.change(
        isModel
          ? { tokenizer: "bpe", tokenizer_from: value.slice(FROM_A_MODEL.length) }
          : { tokenizer: value as Plan["tokenizer"], tokenizer_from: null },
      );
    },
  );
  const meaning = element("p", { class: "aside" });
  const show = () => {
    const { tokenizer, tokenizer_from } = form.plan.value;
    const kind = TOKENIZERS.find(({ name }) => name === tokenizer)?.meaning ?? "";
    setText(meaning, tokenizer_from === null ? kind : say("Its tokens are taken as they are; nothing is learned for them first."));
    // What is refused of a model's tokenizer is said here as well: it is one field.
    if (form.problem.value?.field === "tokenizer_from") setText(meaning, form.problem.value.message);
  };
  watch([form.plan, form.problem], show);
  show();
  field.append(meaning);
  return field;
}
