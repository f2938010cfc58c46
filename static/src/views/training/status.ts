/** Where a training stands, in words and as a bar, and what can be done to it now. */
import { button, element, setAttributes, setText } from "../../dom/element";
import { count, duration } from "../../dom/numbers";
import { oncePerFrame } from "../../dom/schedule";
import { shortCount, sizeOf } from "../../language/amounts";
import { say } from "../../language/say";
import { watch } from "../../state/store";
import { isUnderWay, stepReached } from "../../state/training";
import type { TrainingPage } from "../../state/training_page";
import { planFrom, planSize, planTitle } from "../../state/training_plan";

export function mountTrainingStatus(host: HTMLElement, page: TrainingPage): void {
  const title = element("h1", { class: "training-title" });
  const dot = element("span", { "aria-hidden": "true" });
  const state = element("span", { class: "training-words", role: "status" });
  const facts = element("span", { class: "training-facts" });
  const bar = element("span", { class: "progress-bar" });
  const track = element("div", {
    class: "progress",
    role: "progressbar",
    "aria-label": say("Steps done"),
    "aria-valuemin": 0,
    "aria-valuemax": 100,
  }, bar);
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  host.append(
    element("div", { class: "training-line" }, title, element("span", { class: "training-state" }, dot, state), facts, steering(page)),
    track,
    problem,
  );

  const draw = oncePerFrame(() => {
    const training = page.training.value;
    const plan = page.record.value?.plan ?? (training.plan && planFrom(training.plan));
    setText(title, plan ? `${planTitle(plan)} · ${planSize(plan)}` : say("A training"));
    document.title = plan ? `${planTitle(plan)} · Headlight` : "Headlight";
    setText(state, stateInWords(page));
    dot.className = `dot dot-${training.is_paused ? "queued" : training.phase}`;
    setText(facts, factsOf(page));
    const share = training.steps ? stepReached(training) / training.steps : 0;
    bar.style.transform = `scaleX(${share})`;
    setAttributes(track, { "aria-valuenow": Math.round(share * 100) });
    const error = page.problem.value;
    problem.hidden = error === null;
    setText(problem, error?.message ?? "");
  });
  watch([page.training, page.record, page.connection, page.problem], draw);
  draw();
}

function stateInWords({ training, record, connection }: TrainingPage): string {
  const { phase, is_paused, failure, curve, train_s } = training.value;
  if (connection.value?.state === "refused") return connection.value.reason;
  switch (phase) {
    case "queued": {
      const { place = null, trainers = 1 } = record.value ?? {};
      if (trainers === 0) return say("No trainer is running. ./run --trainers 1 starts one; it then begins by itself.");
      if (place) return say("Waits; {n} come before it.", { n: place });
      return say("Next; begins when a trainer is free.");
    }
    case "running":
      if (is_paused) return say("Paused. A checkpoint was saved.");
      return curve.length === 0 ? say("Getting ready.") : say("Running");
    case "finished":
      return train_s === null ? say("Finished") : say("Finished in {time}", { time: duration(train_s) });
    case "failed":
      return say("Failed: {why}", { why: failure ?? "" });
    case "cancelled":
      return say("Cancelled. What it told stays here.");
  }
}

function factsOf({ training }: TrainingPage): string {
  const state = training.value;
  const { steps, seconds_left, tokens_per_s, memory_bytes, parameters, is_paused, phase, rate_factor, saves } = state;
  if (!steps) return "";
  const parts = [say("step {step} of {steps}", { step: count(stepReached(state)), steps: count(steps) })];
  if (phase === "running" && !is_paused && seconds_left) parts.push(say("{time} left", { time: duration(Math.max(1, seconds_left)) }));
  if (tokens_per_s && phase === "running") parts.push(say("{n} tokens/s", { n: shortCount(tokens_per_s) }));
  if (memory_bytes && phase === "running") parts.push(sizeOf(memory_bytes));
  parts.push(say("{n} parameters", { n: shortCount(parameters) }));
  const saved = saves.at(-1);
  if (saved && phase === "running") parts.push(say("saved at step {step}", { step: count(saved.step) }));
  if (rate_factor !== 1) parts.push(say("learning rate × {factor}", { factor: Number(rate_factor.toPrecision(3)) }));
  return parts.join(" · ");
}

function steering(page: TrainingPage): HTMLElement {
  const pause = button(say("Pause"), { class: "quiet" }, () =>
    void page.order({ action: page.training.value.is_paused ? "go_on" : "pause" }),
  );
  const rate = (times: number) =>
    void page.order({ action: "learning_rate", factor: page.training.value.rate_factor * times });
  const slower = button(say("Rate ÷ 2"), { class: "quiet", title: say("Halves the learning rate from the next step on") }, () => rate(0.5));
  const faster = button(say("Rate × 2"), { class: "quiet", title: say("Doubles the learning rate from the next step on") }, () => rate(2));
  const save = button(say("Save now"), { class: "quiet", title: say("Writes a checkpoint, from which it goes on if it is cut off") }, () =>
    void page.order({ action: "checkpoint" }),
  );
  const sample = button(say("Sample now"), { class: "quiet", title: say("Has the model write a little, as it is now") }, () =>
    void page.order({ action: "sample" }),
  );
  const cancel = button(say("Cancel"), { class: "quiet danger" }, () => sure.showModal());
  const sure = element(
    "dialog",
    { class: "sure", "aria-label": say("Cancel this training?") },
    element("p", {}, say("Cancel this training? Its curves and heads stay; for a week it can be gone on with from its last checkpoint.")),
    element(
      "div",
      { class: "sure-choices" },
      button(say("Let it run"), { class: "quiet" }, () => sure.close()),
      button(say("Cancel the training"), { class: "primary" }, () => {
        sure.close();
        void page.cancel();
      }),
    ),
  );
  const open = button(say("Open in the explorer"), { class: "primary" }, () => void page.openInExplorer());
  const goOn = button("", { class: "primary" }, () => void page.goOnWith(1));
  const slowly = button(say("Go on at half the rate"), { class: "quiet", title: say("From the last checkpoint, with half the learning rate") }, () => void page.goOnWith(0.5));
  const again = element("a", { class: "quiet", href: `/train?from=${page.id}` }, say("Train again with changes"));
  const show = () => {
    const training = page.training.value;
    const isRunning = training.phase === "running";
    for (const control of [pause, slower, faster, save, sample]) control.hidden = !isRunning;
    setText(pause, training.is_paused ? say("Go on") : say("Pause"));
    for (const control of [pause, slower, faster, save, sample, cancel]) control.disabled = page.asked.value !== null;
    cancel.hidden = !isUnderWay(training);
    if (cancel.hidden) sure.close();
    open.hidden = training.phase !== "finished";
    open.disabled = !page.record.value?.model || page.asked.value !== null;
    again.hidden = isUnderWay(training);
    const saved = training.saves.at(-1);
    for (const control of [goOn, slowly]) {
      control.hidden = isUnderWay(training) || !page.record.value?.can_go_on;
      control.disabled = page.asked.value !== null;
    }
    setText(goOn, saved ? say("Go on from step {step}", { step: count(saved.step) }) : say("Go on from the last checkpoint"));
  };
  watch([page.training, page.asked, page.record], show);
  show();
  return element("div", { class: "steering", role: "group", "aria-label": say("Steer the training") }, pause, slower, faster, save, sample, cancel, goOn, slowly, again, open, sure);
}
