/** What a plan will take, told by the server while it is filled in: an estimate, and what does not fit. */
import { element, setText } from "../../dom/element";
import { count, duration } from "../../dom/numbers";
import { shortCount, sizeOf } from "../../language/amounts";
import { say } from "../../language/say";
import { watch } from "../../state/store";
import type { PlanEstimate } from "../../state/plan_estimate";

export function mountEstimate(host: HTMLElement, estimate: PlanEstimate): void {
  const places = [say("Parameters"), say("Tokens a step"), say("Computing in all"), say("Memory"), say("Disk"), say("Time"), say("Energy")].map(
    (title) => ({ title, value: element("dd") }),
  );
  const parts = element("p", { class: "aside" });
  const misfit = element("p", { class: "problem", role: "alert", hidden: true });
  host.append(
    element("h2", {}, say("What it will take")),
    element("dl", { class: "facts-list", "aria-live": "polite" }, ...places.flatMap(({ title, value }) => [element("dt", {}, title), value])),
    misfit,
    parts,
  );
  const show = () => {
    const told = estimate.told.value;
    const unknown = estimate.problem.value ? say("unknown") : "…";
    const values = told
      ? [
          shortCount(told.parameters),
          count(told.tokens_per_step),
          `${powerOfTen(told.flops)} FLOPs`,
          sizeOf(told.memory_bytes),
          sizeOf(told.disk_bytes),
          told.seconds === null ? say("unknown") : say("about {time}", { time: duration(Math.max(1, told.seconds)) }),
          told.watt_hours === null ? say("unknown") : say("about {n} Wh", { n: told.watt_hours < 10 ? told.watt_hours.toPrecision(2) : count(Math.round(told.watt_hours)) }),
        ]
      : [];
    places.forEach(({ value }, place) => setText(value, values[place] ?? unknown));
    misfit.hidden = !told?.misfit;
    setText(misfit, told?.misfit?.message ?? "");
    setText(parts, told ? basis(told) : "");
  };
  watch([estimate.told, estimate.problem], show);
  show();
}

function basis({ weights_bytes, gradients_bytes, optimiser_bytes, activations_bytes, machine }: NonNullable<PlanEstimate["told"]["value"]>): string {
  const memory = say("Memory: weights {weights}, gradients {gradients}, optimiser {optimiser}, activations {activations}, and the program.", {
    weights: sizeOf(weights_bytes),
    gradients: sizeOf(gradients_bytes),
    optimiser: sizeOf(optimiser_bytes),
    activations: sizeOf(activations_bytes),
  });
  const speed =
    machine.flops_per_s === null
      ? say("No trainer runs, so nobody knows how long it takes.")
      : say("Time from the trainer's measured {rate} FLOP/s; energy is time × {watts} W, which nobody measured.", {
          rate: shortCount(machine.flops_per_s),
          watts: machine.watts ?? "",
        });
  return `${say("Estimates.")} ${memory} ${speed}`;
}

/** "3.4 × 10¹²". */
function powerOfTen(value: number): string {
  if (!(value > 0)) return "0";
  const power = Math.floor(Math.log10(value));
  const digits = String(power).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)] ?? "");
  return `${(value / 10 ** power).toFixed(1)} × 10${digits}`;
}
