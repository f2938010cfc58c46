/** Beneath the plan: the parts of the model in which it may depart from its task's own. */
import { element } from "../../dom/element";
import { say } from "../../language/say";
import type { TrainingForm } from "../../state/training_form";
import type { Plan } from "../../state/training_plan";

type Choice = { name: "positions" | "norm_order" | "score"; title: string; meaning: string; choices: [string, string][] };

const OWN: [string, string] = ["", say("the task's own")];
const CHOICES: Choice[] = [
  {
    name: "positions",
    title: say("Positions"),
    meaning: say("How a token's place reaches the model."),
    choices: [OWN, ["sinusoidal", say("sinusoids")], ["learned", say("learned")], ["none", say("none")], ["rotary", say("rotary")], ["alibi", "ALiBi"], ["t5", "T5"], ["relative_keys", say("relative keys")]],
  },
  {
    name: "norm_order",
    title: say("Norms"),
    meaning: say("Before a sublayer, after its sum, on both sides of it, or on what it adds."),
    choices: [OWN, ["pre", say("before")], ["post", say("after")], ["sandwich", say("both sides")], ["output", say("of the output")]],
  },
  {
    name: "score",
    title: say("Score"),
    meaning: say("How a query and a key are compared."),
    choices: [["scaled_dot", say("q·k / √d")], ["dot", say("q·k")], ["multiplicative", say("multiplicative")], ["additive", say("additive")]],
  },
];

export function mountArchitecture(host: HTMLElement, form: TrainingForm): void {
  const selects = CHOICES.map(({ name, title, meaning, choices }) => {
    const id = `plan-${name}`;
    const select = element("select", { id, name, title: meaning }, ...choices.map(([value, words]) => element("option", { value }, words)));
    select.addEventListener("change", () => form.change({ [name]: select.value || null } as Partial<Plan>));
    return { name, select, root: element("div", { class: "plan-field" }, element("label", { for: id, title: meaning }, title), select) };
  });
  const meaning = say("Of each head; empty: heads share the width.");
  const width = element("input", { id: "plan-key_width", name: "key_width", type: "number", min: 1, max: 256, title: meaning, placeholder: say("width ÷ heads") });
  width.addEventListener("input", () => form.change({ key_width: width.value === "" ? null : Number(width.value) }));
  host.append(
    element(
      "details",
      { class: "plan-architecture" },
      element("summary", {}, say("Other parts of the model")),
      element(
        "div",
        { class: "plan-fields" },
        ...selects.map(({ root }) => root),
        element("div", { class: "plan-field" }, element("label", { for: width.id, title: meaning }, say("Key width")), width),
      ),
    ),
  );
  const show = () => {
    for (const { name, select } of selects) select.value = form.plan.value[name] ?? "";
    if (document.activeElement !== width) width.value = String(form.plan.value.key_width ?? "");
  };
  form.plan.subscribe(show);
  show();
}
