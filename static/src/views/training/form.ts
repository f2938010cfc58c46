/** The form of a plan: what is learned, the model, how, how often. What the API refuses is said at its field. */
import { button, element, setAttributes, setText } from "../../dom/element";
import { createSwitch } from "../../dom/switch";
import { say } from "../../language/say";
import type { TrainingForm } from "../../state/training_form";
import { ASSIGNMENTS, GROUPS, type NumberField, RECIPES, SCHEDULES, withTask } from "../../state/training_plan";
import { watch } from "../../state/store";
import type { AssignmentName, Plan } from "../../state/training_plan";

export function mountTrainingForm(host: HTMLElement, form: TrainingForm): void {
  const start = button(say("Start training"), { class: "primary", type: "submit" }, () => {});
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const sheet = element(
    "form",
    { class: "plan", novalidate: true, "aria-label": say("Plan of a training") },
    tasks(form),
    recipes(form),
    ...GROUPS.map(({ title, fields }, place) =>
      element(
        "fieldset",
        {},
        element("legend", {}, title),
        element("div", { class: "plan-fields" }, ...fields.map((field) => numberField(form, field))),
        place === 1 && schedules(form),
      ),
    ),
    element("div", { class: "plan-start" }, start, problem),
  );
  sheet.addEventListener("submit", (event) => {
    event.preventDefault();
    void form.start();
  });
  host.append(sheet);

  const show = () => {
    const error = form.problem.value;
    // A field that is on the page says it itself.
    const isAtField = error?.field !== null && sheet.querySelector(`[name="${CSS.escape(error?.field ?? "")}"]`) !== null;
    problem.hidden = error === null;
    setText(problem, error === null ? "" : isAtField ? say("One field needs a change; it says why.") : error.message);
    start.disabled = form.isStarting.value;
    setText(start, form.isStarting.value ? say("Starting") : say("Start training"));
  };
  watch([form.problem, form.isStarting], show);
  form.problem.subscribe((error) => {
    if (error?.field) sheet.querySelector<HTMLElement>(`[name="${CSS.escape(error.field)}"]`)?.focus();
  });
  show();
}

function tasks(form: TrainingForm): HTMLElement {
  const meaning = element("p", { class: "aside plan-meaning", id: "task-meaning" });
  const choices = ASSIGNMENTS.map(({ name, title }) => {
    const input = element("input", { type: "radio", name: "assignment", value: name, "aria-describedby": "task-meaning" });
    return element("label", { class: "plan-task" }, input, element("span", {}, title));
  });
  const text = element("textarea", {
    name: "text",
    id: "plan-text",
    rows: 6,
    spellcheck: "false",
    "aria-describedby": "plan-text-error",
    placeholder: say("Paste a text of some thousand words, or choose a file."),
  });
  const file = element("input", { type: "file", accept: ".txt,.md,text/*", class: "visually-hidden", id: "plan-file" });
  const error = element("p", { class: "problem", id: "plan-text-error" });
  const area = element(
    "div",
    { class: "plan-text" },
    element("label", { for: "plan-text" }, say("The text that is learned")),
    text,
    element("div", {}, file, element("label", { for: "plan-file", class: "quiet file-label" }, say("Choose a file"))),
    error,
  );
  const group = element("fieldset", {}, element("legend", {}, say("What is learned")), element("div", { class: "plan-tasks" }, ...choices), meaning, area);
  group.addEventListener("change", (event) => {
    const { name, value } = event.target as HTMLInputElement;
    if (name === "assignment") form.plan.update((plan) => withTask(plan, value as AssignmentName));
  });
  text.addEventListener("input", () => form.change({ text: text.value }));
  file.addEventListener("change", async () => {
    const chosen = file.files?.[0];
    if (chosen) form.change({ text: await chosen.text() });
  });
  const show = () => {
    const { assignment, text: written } = form.plan.value;
    for (const input of group.querySelectorAll<HTMLInputElement>('[name="assignment"]')) input.checked = input.value === assignment;
    setText(meaning, ASSIGNMENTS.find(({ name }) => name === assignment)?.meaning ?? "");
    area.hidden = assignment !== "text";
    if (text.value !== (written ?? "")) text.value = written ?? "";
    const refusal = form.problem.value?.field === "text" ? form.problem.value.message : "";
    setText(error, refusal);
    setAttributes(text, { "aria-invalid": refusal ? "true" : null });
  };
  watch([form.plan, form.problem], show);
  show();
  return group;
}

function recipes(form: TrainingForm): HTMLElement {
  return element(
    "div",
    { class: "plan-recipes", role: "group", "aria-label": say("Recipes") },
    element("span", { class: "aside" }, say("Fill in:")),
    ...RECIPES.map(({ title, meaning, plan }) => button(title, { class: "quiet", title: meaning }, () => form.change(plan))),
  );
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

function numberField(form: TrainingForm, { name, title, meaning, least, most, step }: NumberField): HTMLElement {
  const [id, errorId] = [`plan-${name}`, `plan-${name}-error`];
  const input = element("input", {
    id,
    name,
    type: "number",
    inputmode: step === 1 ? "numeric" : "decimal",
    min: least,
    max: most,
    step,
    title: meaning,
    "aria-describedby": errorId,
  });
  const error = element("p", { class: "problem", id: errorId });
  input.addEventListener("input", () => {
    if (input.value !== "") form.change({ [name]: Number(input.value) });
  });
  const show = () => {
    const value = String(form.plan.value[name]);
    // What is being typed is left alone: "0." is on its way to "0.1".
    if (Number(input.value) !== form.plan.value[name] || input.value === "") input.value = value;
    const refusal = form.problem.value?.field === name ? form.problem.value.message : "";
    setText(error, refusal);
    setAttributes(input, { "aria-invalid": refusal ? "true" : null });
  };
  input.addEventListener("blur", show);
  watch([form.plan, form.problem], () => {
    if (document.activeElement !== input || form.problem.value) show();
  });
  show();
  return element("div", { class: "plan-field" }, element("label", { for: id, title: meaning }, title), input, error);
}
