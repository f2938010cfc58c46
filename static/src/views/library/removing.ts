/** Before a model goes: what goes with it, and what stays. */
import { button, element, setText } from "../../dom/element";
import { sizeOf } from "../../language/amounts";
import { say } from "../../language/say";
import type { LibraryPage, Model, Removal } from "../../state/library_page";

export async function openRemoval(host: HTMLElement, model: Model, page: LibraryPage, close: () => void): Promise<void> {
  const removal = await page.readRemoval(model.id).catch(() => null);
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const remove = button(say("Delete it"), { class: "primary" }, () => {
    void page.remove(model.id).then((wrong) => {
      problem.hidden = wrong === null;
      setText(problem, wrong?.message ?? "");
    });
  });
  host.replaceChildren(
    element(
      "div",
      { class: "model-form", role: "group", "aria-label": say("Delete {name}", { name: model.name }) },
      element("p", {}, say("Delete {name}? Nobody can choose it any more.", { name: model.name })),
      ...(removal ? consequences(removal) : []).map((sentence) => element("p", {}, sentence)),
      problem,
      element("div", { class: "model-tools" }, remove, button(say("Keep it"), { class: "quiet" }, close)),
    ),
  );
  remove.focus();
}

function consequences({ runs, others_runs, trainings, has_lens, freed_bytes, kept_bytes }: Removal): string[] {
  const all = runs + others_runs;
  return [
    all > 0 && say("Its {n} runs stay readable, {others} of them by others. While there are any, {kept} of files are kept for them.", { n: all, others: others_runs, kept: sizeOf(kept_bytes) }),
    trainings > 0 && say("{n} trainings start from it, and go on.", { n: trainings }),
    has_lens && say("Its tuned lens goes with it."),
    freed_bytes > 0 && say("{size} become free.", { size: sizeOf(freed_bytes) }),
  ].filter((sentence) => sentence !== false);
}
