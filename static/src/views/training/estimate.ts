/** What a plan will cost, told while it is filled in. */
import { element, setText } from "../../dom/element";
import { count } from "../../dom/numbers";
import { shortCount } from "../../language/amounts";
import { say } from "../../language/say";
import { estimate } from "../../state/training_plan";
import type { TrainingForm } from "../../state/training_form";

export function mountEstimate(host: HTMLElement, form: TrainingForm): void {
  const [parameters, tokens, flops] = [element("dd"), element("dd"), element("dd")];
  host.append(
    element("h2", {}, say("What it will take")),
    element(
      "dl",
      { class: "facts-list", "aria-live": "polite" },
      element("dt", {}, say("Parameters")),
      parameters,
      element("dt", {}, say("Tokens a step")),
      tokens,
      element("dt", {}, say("Computing in all")),
      flops,
    ),
    element("p", { class: "aside" }, say("Estimates from the fields: computing is 6 × parameters × tokens, in FLOPs.")),
  );
  const show = () => {
    const told = estimate(form.plan.value);
    setText(parameters, shortCount(told.parameters));
    setText(tokens, count(told.tokens_per_step));
    setText(flops, `${powerOfTen(told.flops)} FLOPs`);
  };
  form.plan.subscribe(show);
  show();
}

/** "3.4 × 10¹²". */
function powerOfTen(value: number): string {
  if (!(value > 0)) return "0";
  const power = Math.floor(Math.log10(value));
  const digits = String(power).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)] ?? "");
  return `${(value / 10 ** power).toFixed(1)} × 10${digits}`;
}
