/** Beside the plan: train it in variants. The rows are shown first, and those that are wanted are begun. */
import { button, element, setText } from "../../dom/element";
import { say } from "../../language/say";
import { watch } from "../../state/store";
import type { SweepChoice, SweepKind } from "../../state/sweep_choice";

const KINDS: { kind: SweepKind; title: string; meaning: string }[] = [
  { kind: "table3", title: say("Table 3"), meaning: say("Changes one thing at a time, as the paper's Table 3 does: heads, key width, positions, dropout, smoothing, norms, scores.") },
  { kind: "scaling", title: say("Scaling"), meaning: say("Sizes × tokens, with the power law that they follow.") },
];

export function mountSweepChoice(host: HTMLElement, choice: SweepChoice): void {
  const rows = element("fieldset", { class: "sweep-rows", hidden: true });
  const start = button("", { class: "primary", hidden: true }, () => void choice.start());
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const list = element("ul", { class: "trainings" });
  const kinds = KINDS.map(({ kind, title, meaning }) =>
    button(title, { class: "quiet", title: meaning, "aria-pressed": "false" }, () => void choice.choose(kind)),
  );
  const meaning = element("p", { class: "aside" });
  host.append(
    element("h2", {}, say("Sweep this plan")),
    element("div", { class: "plan-recipes", role: "group", "aria-label": say("Kinds of sweeps") }, ...kinds),
    meaning,
    rows,
    start,
    problem,
    list,
  );
  const show = () => {
    const { value: kind } = choice.kind;
    kinds.forEach((control, place) => control.setAttribute("aria-pressed", String(KINDS[place]?.kind === kind)));
    setText(meaning, KINDS.find((one) => one.kind === kind)?.meaning ?? say("One plan, trained in several variants that are compared in a table."));
    const wanted = choice.wanted.value;
    start.hidden = rows.hidden = kind === null || choice.rows.value.length === 0;
    setText(start, choice.isStarting.value ? say("Starting") : say("Start {n} trainings", { n: wanted.size }));
    start.disabled = choice.isStarting.value || wanted.size === 0;
    problem.hidden = choice.problem.value === null;
    setText(problem, choice.problem.value?.message ?? "");
  };
  const showRows = () => {
    rows.replaceChildren(
      element("legend", { class: "visually-hidden" }, say("Rows of the sweep")),
      ...choice.rows.value.map((name) => {
        const input = element("input", { type: "checkbox", name: "row", value: name, checked: choice.wanted.value.has(name) });
        input.addEventListener("change", () => choice.want(name, input.checked));
        return element("label", {}, input, element("span", {}, name));
      }),
    );
  };
  const showList = () =>
    list.replaceChildren(
      ...choice.sweeps.value.map(({ page, kind, assignment, rows: count, ended }) =>
        element(
          "li",
          {},
          element("a", { href: page }, `${KINDS.find((one) => one.kind === kind)?.title ?? kind} · ${assignment}`),
          element("span", { class: "aside" }, say("{ended} of {rows} rows have ended", { ended, rows: count })),
        ),
      ),
    );
  choice.rows.subscribe(showRows);
  choice.sweeps.subscribe(showList);
  watch([choice.kind, choice.rows, choice.wanted, choice.isStarting, choice.problem], show);
  show();
}
