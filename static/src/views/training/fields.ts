/** Fields of a plan: a number or a choice with its label, its meaning, and what the API refuses of it. */
import { element, setAttributes, setText } from "../../dom/element";
import { watch } from "../../state/store";
import type { TrainingForm } from "../../state/training_form";
import { isAsked, type NumberField, type Plan } from "../../state/training_plan";

export function numberFields(form: TrainingForm, fields: readonly NumberField[]): HTMLElement {
  return element("div", { class: "plan-fields" }, ...fields.map((field) => numberField(form, field)));
}

export function numberField(form: TrainingForm, { name, title, meaning, least, most, step }: NumberField): HTMLElement {
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
  const field = element("div", { class: "plan-field" }, element("label", { for: id, title: meaning }, title), input, error);
  input.addEventListener("input", () => {
    if (input.value !== "") form.change({ [name]: Number(input.value) });
  });
  const show = () => {
    const value = String(form.plan.value[name]);
    // What is being typed is left alone: "0." is on its way to "0.1".
    if (Number(input.value) !== form.plan.value[name] || input.value === "") input.value = value;
    showRefusal(form, name, input, error);
  };
  input.addEventListener("blur", show);
  const showAll = () => {
    field.hidden = !isAsked(name, form.plan.value);
    if (document.activeElement !== input || form.problem.value) show();
  };
  watch([form.plan, form.problem], showAll);
  field.hidden = !isAsked(name, form.plan.value);
  show();
  return field;
}

interface Choice {
  value: string;
  label: string;
}

/** `choices` and the value are asked for again with every change; what is chosen is told to `onChoose`. */
export function choiceField(
  form: TrainingForm,
  name: keyof Plan,
  title: string,
  choices: () => Choice[],
  value: () => string,
  onChoose: (value: string) => void,
): HTMLElement {
  const [id, errorId] = [`plan-${name}`, `plan-${name}-error`];
  const select = element("select", { id, name, "aria-describedby": errorId });
  const error = element("p", { class: "problem", id: errorId });
  select.addEventListener("change", () => onChoose(select.value));
  const show = () => {
    const wanted = choices();
    const has = [...select.options].map((option) => option.value + option.text).join("\n");
    if (has !== wanted.map((choice) => choice.value + choice.label).join("\n")) {
      select.replaceChildren(...wanted.map((choice) => element("option", { value: choice.value }, choice.label)));
    }
    select.value = value();
    showRefusal(form, name, select, error);
  };
  watch([form.plan, form.problem, form.models], show);
  show();
  return element("div", { class: "plan-field plan-choice" }, element("label", { for: id }, title), select, error);
}

/** `isHidden` is asked again with every change. */
export function checkField(
  form: TrainingForm,
  name: "leaning" | "recompute" | "compile",
  words: string,
  isHidden: () => boolean = () => false,
): HTMLElement {
  const [id, errorId] = [`plan-${name}`, `plan-${name}-error`];
  const input = element("input", { id, name, type: "checkbox", "aria-describedby": errorId });
  const error = element("p", { class: "problem", id: errorId });
  const root = element("div", { class: "plan-check" }, input, element("label", { for: id }, words), error);
  input.addEventListener("change", () => form.change({ [name]: input.checked }));
  const show = () => {
    root.hidden = isHidden();
    input.checked = form.plan.value[name];
    showRefusal(form, name, input, error);
  };
  watch([form.plan, form.problem], show);
  show();
  return root;
}

export function showRefusal(form: TrainingForm, name: keyof Plan, field: HTMLElement, error: HTMLElement): void {
  const refusal = form.problem.value?.field === name ? form.problem.value.message : "";
  setText(error, refusal);
  setAttributes(field, { "aria-invalid": refusal ? "true" : null });
}
