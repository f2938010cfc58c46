/** A sweep as a table that fills as its rows end: each row's numbers, and beneath them by how much they differ from the base's. */
import { button, element, setText } from "../../dom/element";
import { duration } from "../../dom/numbers";
import { shortCount } from "../../language/amounts";
import { say } from "../../language/say";
import { watch } from "../../state/store";
import { isGoing, metricsOf, type SweepPage, type SweepRow } from "../../state/sweep_page";
import { planSize, planTitle } from "../../state/training_plan";
import { METRICS } from "./lines";
import { STATES } from "./list";

export function mountSweepTable(host: HTMLElement, page: SweepPage): void {
  const title = element("h1", { class: "training-title" });
  const words = element("span", { class: "training-words", role: "status" });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const stop = button(say("Cancel the sweep"), { class: "quiet danger" }, () => void page.cancel());
  const table = element("table", { class: "sweep-table" });
  const caption = element("p", { class: "aside" });
  host.append(
    element("div", { class: "training-line" }, title, words, stop),
    problem,
    element("div", { class: "sweep-scroll", tabindex: 0, role: "region", "aria-label": say("Rows of the sweep") }, table),
    caption,
  );
  const show = () => {
    const record = page.record.value;
    problem.hidden = page.problem.value === null;
    setText(problem, page.problem.value?.message ?? "");
    if (!record) return setText(words, say("Looking for the sweep."));
    const kind = record.kind === "table3" ? say("Table 3") : say("Scaling");
    setText(title, `${kind} · ${planTitle(record.plan)} · ${planSize(record.plan)}`);
    document.title = `${kind} · ${planTitle(record.plan)} · Headlight`;
    const ended = record.rows.filter((row) => !isGoing(row)).length;
    setText(words, say("{ended} of {rows} rows have ended", { ended, rows: record.rows.length }));
    stop.hidden = ended === record.rows.length;
    stop.disabled = page.isStopping.value;
    const metrics = metricsOf(record);
    table.replaceChildren(
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ...[say("Row"), say("State"), say("Parameters"), say("Time"), ...metrics.map((name) => METRICS[name] ?? name)].map((name) =>
            element("th", { scope: "col" }, name),
          ),
        ),
      ),
      element("tbody", {}, ...record.rows.map((row) => rowOf(row, metrics))),
    );
    setText(
      caption,
      record.kind === "table3"
        ? say("One thing is changed at a time (Vaswani et al. 2017, Table 3). Beneath each number: how far it is from the base's.")
        : say("Each size is trained with each number of steps, so that each has a schedule that ends."),
    );
  };
  watch([page.record, page.problem, page.isStopping], show);
  show();
}

function rowOf(row: SweepRow, metrics: string[]): HTMLElement {
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, element("a", { href: row.page }, row.name)),
    element(
      "td",
      { title: row.error?.message ?? null },
      element("span", { class: "training-state" }, element("span", { class: `dot dot-${row.state}`, "aria-hidden": "true" }), STATES[row.state]),
    ),
    element("td", {}, row.parameters === null ? "" : shortCount(row.parameters)),
    element("td", {}, row.seconds === null ? "" : duration(row.seconds)),
    ...metrics.map((name) => {
      const [value, relative] = [row.metrics?.[name], row.relative?.[name]];
      const apart = relative === undefined ? "" : `${relative < 0 ? "−" : "+"}${Math.abs(relative).toFixed(4)}`;
      return element("td", {}, value === undefined ? "" : value.toFixed(4), element("span", { class: "aside sweep-apart" }, apart));
    }),
  );
}
