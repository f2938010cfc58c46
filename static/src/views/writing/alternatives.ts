/** What might have stood in place of a written token; pressing one writes on from there with it, as a branch. */
import { button, element } from "../../dom/element";
import { share } from "../../dom/numbers";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { tokenName } from "../../state/text";
import type { Step } from "../../state/run";

/** Of the kept token, where that was written and is in sight, else of the newest that is shown. */
export function stepInSight({ told, view, player }: Explorer): Step | null {
  const { writing } = told.value;
  const { token } = view.value;
  const shown = player.shown.value;
  if (!writing || shown === 0) return null;
  const kept = token?.sequence === "decoder" ? token.index - writing.prompt.texts.length : -1;
  return writing.steps[kept >= 0 && kept < shown ? kept : shown - 1] ?? null;
}

export function alternativesOf(explorer: Explorer, step: Step): (Node | string)[] {
  const token = (text: string, more = "") =>
    element("span", { class: `token-name ${more}`, dir: "auto" }, tokenName(text));
  const others = step.texts.flatMap((text, rank) => {
    const id = step.arrays.alternatives.values[rank] ?? -1;
    if (id === step.id) return [];
    const probability = share(step.arrays.probabilities.values[rank] ?? 0);
    const label = say("Write on from here with “{token}”, probability {probability}", { token: text, probability });
    const press = button("", { class: "quiet alternative", title: label, "aria-label": label }, () =>
      void explorer.branch(step.place, id),
    );
    press.append(token(text), element("span", { class: "alternative-value" }, probability));
    return [press];
  });
  return [
    element(
      "span",
      { class: "alternatives-lead" },
      say("token {n}", { n: step.place }),
      " ",
      token(step.text, "token-strong"),
      ` ${share(step.probability)}`,
      step.sampled_probability < 1 && say(", drawn with {probability}", { probability: share(step.sampled_probability) }),
    ),
    element("span", { class: "alternatives-lead" }, say("in its place:")),
    ...others,
  ];
}
