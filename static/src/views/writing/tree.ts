/** The runs that branched off one another, as a list within a list; and the texts that a beam search followed. */
import { button, element } from "../../dom/element";
import { real } from "../../dom/numbers";
import { say } from "../../language/say";
import type { BeamBranch } from "../../state/beams";
import type { BranchRecord, Explorer } from "../../state/explorer";
import { tokenName, visible } from "../../state/text";

export function branchList(explorer: Explorer, runs: readonly BranchRecord[], parent: string | null): HTMLElement | null {
  const own = runs.filter((run) => run.parent === parent);
  if (own.length === 0) return null;
  return element("ul", { class: "branches" }, ...own.map((run) => item(explorer, runs, run)));
}

function item(explorer: Explorer, runs: readonly BranchRecord[], run: BranchRecord): HTMLElement {
  const isShown = run.id === explorer.told.value.id;
  const name =
    run.branched_at === null
      ? say("from the prompt")
      : say("at {n} with “{token}”", { n: run.branched_at, token: run.token === null ? "…" : tokenName(run.token) });
  const press = button(
    name,
    { class: isShown ? "quiet branch branch-shown" : "quiet branch", "aria-current": isShown ? "true" : null },
    () => explorer.walkTo(run),
  );
  return element("li", {}, press, isShown && element("span", { class: "aside" }, say("shown here")), branchList(explorer, runs, run.id));
}

/** What only one text goes through stands together; the rest opens. */
export function beamList(branches: readonly BeamBranch[]): HTMLElement {
  return element(
    "ul",
    { class: "branches beams" },
    ...branches.map((branch) => {
      const text = element("span", { class: "token-name", dir: "auto" }, visible(branch.text));
      const said = [
        text,
        element("span", { class: "aside" }, real(branch.total)),
        branch.rank !== null && element("span", { class: "beam-found" }, branch.rank === 0 ? say("best") : say("number {n}", { n: branch.rank + 1 })),
      ];
      const name = branch.isBest ? "beam beam-best" : "beam";
      if (branch.children.length === 0) return element("li", { class: name }, ...said);
      return element(
        "li",
        { class: name },
        element("details", { open: branch.isBest }, element("summary", {}, ...said), beamList(branch.children)),
      );
    }),
  );
}
