/** The trainings that there are, the newest first, each with its state and the way to its page. */
import { element } from "../../dom/element";
import { dayAndTime } from "../../language/dates";
import { say } from "../../language/say";
import type { TrainingForm } from "../../state/training_form";
import { planSize, planTitle } from "../../state/training_plan";
import type { TrainingRecord } from "../../state/training_page";

export const STATES: Record<TrainingRecord["state"], string> = {
  queued: say("waits"),
  running: say("running"),
  finished: say("finished"),
  failed: say("failed"),
  cancelled: say("cancelled"),
};

export function mountTrainingList(host: HTMLElement, form: TrainingForm): void {
  const list = element("ul", { class: "trainings" });
  const words = element("p", { class: "aside" });
  host.append(element("h2", {}, say("Trainings")), words, list);
  const show = () => {
    const trainings = form.trainings.value;
    words.hidden = trainings !== null && trainings.length > 0;
    words.textContent = trainings === null ? say("Looking for trainings.") : say("None yet. The first one you start stands here.");
    list.replaceChildren(...(trainings ?? []).map(entry));
  };
  form.trainings.subscribe(show);
  show();
}

function entry({ page, plan, state, created_at }: TrainingRecord): HTMLElement {
  const when = dayAndTime(created_at);
  return element(
    "li",
    {},
    element("a", { href: page }, planTitle(plan)),
    element("span", { class: "training-state" }, element("span", { class: `dot dot-${state}`, "aria-hidden": "true" }), STATES[state]),
    element("span", { class: "aside" }, `${planSize(plan)} · ${when}`),
  );
}
