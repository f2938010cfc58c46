/** The tuned lens of the run's model: how much nearer it is to the model, and its training. */
import { button, element, setText } from "../../dom/element";
import { real } from "../../dom/numbers";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { depthName } from "../../state/lens";
import { watch } from "../../state/store";
import { isTraining, type LensState, type Tuning, type TunedLens } from "../../state/tuning";

export interface TrainingView {
  root: HTMLElement;
  draw(): void;
}

export function createTraining(explorer: Explorer, tuning: Tuning): TrainingView {
  const about = element("p", { class: "aside" });
  const begin = button("", { class: "quiet" }, () => start());
  const progress = element("progress", { "aria-label": say("Training of the tuned lens") });
  const state = element("p", { class: "lens-state", role: "status" });
  const stop = button(say("Stop"), { class: "quiet" }, () => void tuning.stop());
  const running = element("div", { class: "lens-running", hidden: true }, progress, stop);
  const asked = element("p", {});
  const text = element("textarea", { id: "lens-text", rows: 5, "aria-label": say("Text to train the tuned lens on") });
  const form = element(
    "form",
    { class: "lens-form", hidden: true },
    asked,
    text,
    element("div", { class: "lens-buttons" }, element("button", { class: "primary" }, say("Train"))),
  );
  const learned = element("div", { class: "lens-learned" });
  const root = element("section", { class: "lens-tuning", "aria-label": say("Tuned lens") }, learned, about, begin, state, running, form);

  function start(): void {
    const { id } = explorer.run.value;
    if (id && tokensOfRun() >= least()) void tuning.train({ run: id });
    else {
      form.hidden = !form.hidden;
      if (!form.hidden) text.focus();
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.hidden = true;
    void tuning.train({ text: text.value });
  });

  const least = () => tuning.state.value?.least_tokens ?? Number.POSITIVE_INFINITY;
  const tokensOfRun = () => Object.values(explorer.run.value.sequences)[0]?.texts.length ?? 0;

  function draw(): void {
    const { value: found } = tuning.state;
    const architecture = explorer.modelOfRun?.architecture;
    root.hidden = found === null || (architecture !== "decoder" && architecture !== "encoder");
    if (!found) return;
    const trains = isTraining(found);
    running.hidden = !trains;
    begin.hidden = trains;
    if (trains) form.hidden = true;
    setText(begin, found.tuned ? say("Train it anew") : say("Train a tuned lens"));
    setText(about, found.tuned || trains ? "" : say("A tuned lens first translates what a layer leaves, so that early layers can be read too."));
    const values = { least: found.least_tokens, n: tokensOfRun() };
    setText(asked, say("It learns from a text of at least {least} tokens; this one has {n}. Paste a longer one:", values));
    progress.max = found.total || 1;
    if (found.state === "training") progress.value = found.done;
    else progress.removeAttribute("value");
    setText(state, tuning.problem.value?.message ?? sentence(found));
    learned.replaceChildren(...(found.tuned ? [tableOf(found.tuned)] : []));
  }

  watch([tuning.state, tuning.problem], draw);
  return { root, draw };
}

function sentence({ state, done, total, error }: LensState): string {
  switch (state) {
    case "waiting":
      return say("The training waits for a worker.");
    case "reading":
      return say("The text is read.");
    case "training":
      return say("Training: step {done} of {total}", { done, total });
    case "failed":
      return error?.message ?? "";
    case "cancelled":
      return say("The training was stopped.");
    default:
      return "";
  }
}

/** How far each layer is from the model, before and after. */
function tableOf({ before, after, tokens }: TunedLens): HTMLElement {
  const heads = [say("layer"), say("logit"), say("tuned")];
  return element(
    "table",
    { class: "lens-divergences" },
    element("caption", {}, say("KL to what the model says, in nats, on text held out of {n} tokens", { n: tokens })),
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element(
      "tbody",
      {},
      ...before
        .map((nats, depth) =>
          element(
            "tr",
            {},
            element("th", { scope: "row" }, depthName(depth)),
            element("td", {}, real(nats)),
            element("td", {}, real(after[depth] ?? 0)),
          ),
        )
        .reverse(),
    ),
  );
}
