/** The form of a plan: what is learned, from what, the sizes, how. What the API refuses is said at its field. */
import { button, element, setText } from "../../dom/element";
import { createSwitch } from "../../dom/switch";
import { say } from "../../language/say";
import { watch } from "../../state/store";
import type { TrainingForm } from "../../state/training_form";
import { FIRST_FIELDS, GROUPS, type Plan, recipeOf, recipesFor, SCHEDULES } from "../../state/training_plan";
import { mayLean } from "../../state/training_tasks";
import { mountArchitecture } from "./architecture";
import { checkField, numberFields } from "./fields";
import { machineFields } from "./machine";
import { mountMaterial } from "./material";
import { mountTasks } from "./tasks";

export function mountTrainingForm(host: HTMLElement, form: TrainingForm): void {
  const start = button(say("Start training"), { class: "primary", type: "submit" }, () => {});
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const more = element(
    "details",
    { class: "plan-more" },
    element("summary", {}, say("More")),
    ...GROUPS.map(({ title, fields }, place) =>
      element("fieldset", {}, element("legend", {}, title), numberFields(form, fields), place === 0 && schedules(form), place === 1 && leaning(form)),
    ),
    machineFields(form),
  );
  const parts = element("div");
  mountArchitecture(parts, form);
  const sheet = element(
    "form",
    { class: "plan", novalidate: true, "aria-label": say("Plan of a training") },
    mountTasks(form),
    mountMaterial(form),
    element("fieldset", {}, element("legend", {}, say("How it learns")), recipes(form), sizesKept(form), numberFields(form, FIRST_FIELDS)),
    more,
    parts,
    element("div", { class: "plan-start" }, start, problem),
  );
  sheet.addEventListener("submit", (event) => {
    event.preventDefault();
    void form.start();
  });
  host.append(sheet);

  const atField = (field: string | null | undefined) => {
    const found = sheet.querySelector<HTMLElement>(`[name="${CSS.escape(field ?? "")}"]`);
    return found?.closest("[hidden]") ? null : found;
  };
  const show = () => {
    const error = form.problem.value;
    problem.hidden = error === null;
    // A field that is on the page says it itself.
    setText(problem, error === null ? "" : atField(error.field) ? say("One field needs a change; it says why.") : error.message);
    start.disabled = form.isStarting.value || (form.archive.value?.isSending ?? false);
    setText(start, form.isStarting.value ? say("Starting") : say("Start training"));
  };
  watch([form.problem, form.isStarting, form.archive], show);
  form.problem.subscribe((error) => {
    const field = atField(error?.field);
    if (!field) return;
    if (more.contains(field)) more.open = true;
    field.focus();
  });
  show();
}

/** Said in place of the fields of a model that is fine-tuned. */
function sizesKept(form: TrainingForm): HTMLElement {
  const words = element("p", { class: "aside" });
  const show = () => {
    const { start, layers, heads, width } = form.plan.value;
    words.hidden = start === null;
    setText(words, say("Layers, heads and width stay those of the model: {layers} × {heads} heads, width {width}.", { layers, heads, width }));
  };
  form.plan.subscribe(show);
  show();
  return words;
}

function recipes(form: TrainingForm): HTMLElement {
  const recipesNow = () => recipesFor(form.plan.value, form.presets);
  const meaning = element("p", { class: "aside plan-meaning" });
  const choice = createSwitch(
    say("Recipe"),
    recipesNow().map(({ name, title, meaning }) => ({ value: name, label: title, title: meaning })),
    (name) => form.change(recipesNow().find((recipe) => recipe.name === name)?.plan ?? {}),
  );
  const show = () => {
    const recipe = recipeOf(form.plan.value, form.presets);
    choice.choose(recipe?.name ?? "");
    // None is chosen where a field was changed; the first can still be reached.
    if (!recipe) choice.root.querySelector<HTMLElement>("[data-value]")?.setAttribute("tabindex", "0");
    setText(meaning, recipe?.meaning ?? say("Changed by hand. A recipe fills in the fields of how it learns, here and beneath More."));
  };
  form.plan.subscribe(show);
  show();
  return element("div", { class: "plan-schedule" }, element("span", {}, say("Recipe")), choice.root, meaning);
}

function leaning(form: TrainingForm): HTMLElement {
  const words = say("Heads lean to the tokens before at first, so that induction heads form within minutes.");
  return checkField(form, "leaning", words, () => !mayLean(form.plan.value.assignment) || form.plan.value.start !== null);
}

function schedules(form: TrainingForm): HTMLElement {
  const meaning = element("p", { class: "aside plan-meaning" });
  const choice = createSwitch(
    say("Schedule of the learning rate"),
    SCHEDULES.map(({ name, title }) => ({ value: name, label: title })),
    (name) => form.change({ schedule: name as Plan["schedule"] }),
  );
  const show = () => {
    choice.choose(form.plan.value.schedule);
    setText(meaning, SCHEDULES.find(({ name }) => name === form.plan.value.schedule)?.meaning ?? "");
  };
  form.plan.subscribe(show);
  show();
  return element("div", { class: "plan-schedule" }, element("span", {}, say("Schedule of the learning rate")), choice.root, meaning);
}
