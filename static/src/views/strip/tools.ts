/** The panel's own choices: how several heads stand on the strip, and whether tokens that make a word stand as one. */
import { button, element } from "../../dom/element";
import { remember, remembered } from "../../dom/remembered";
import { createSwitch } from "../../dom/switch";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { derive, Store, watch } from "../../state/store";

export type HeadsMode = "one" | "average" | "overlay";

const MODES: HeadsMode[] = ["one", "average", "overlay"];
const REMEMBERED = "headlight-strip-heads";

/** Gives what is chosen; "one" where no heads are picked. */
export function mountStripTools(host: HTMLElement, explorer: Explorer): Store<HeadsMode> {
  const stored = remembered(REMEMBERED) as HeadsMode | null;
  const chosen = new Store<HeadsMode>(stored && MODES.includes(stored) ? stored : "average");
  const mode = derive([chosen, explorer.choices], () => (explorer.view.value.picked.length ? chosen.value : "one"));
  const heads = createSwitch(
    say("Picked heads"),
    [
      { value: "one", label: say("One head"), title: say("Only the head that is shown") },
      { value: "average", label: say("Average"), title: say("The mean of the picked heads") },
      { value: "overlay", label: say("Overlay"), title: say("A bar for each picked head, in its colour") },
    ],
    (value) => {
      chosen.set(value as HeadsMode);
      remember(REMEMBERED, value);
    },
  );
  const whole = button(
    say("Whole words"),
    {
      class: "quiet whole-words",
      title: say("Tokens of one word stand as one: what it receives is summed over its tokens, its own view is their mean"),
    },
    () => explorer.view.update((view) => ({ ...view, words: !view.words })),
  );
  host.append(element("div", { class: "strip-heads" }, heads.root), whole);
  const show = () => {
    heads.root.hidden = explorer.view.value.picked.length === 0;
    heads.choose(chosen.value);
    // Patches make no words.
    whole.hidden = explorer.run.value.picture !== null;
    whole.setAttribute("aria-pressed", String(explorer.view.value.words));
  };
  watch([chosen, explorer.choices, explorer.run], show);
  show();
  return mode;
}
