/** The kept pair of tokens, seen from inside the head: from the products of q and k to the weight. */
import { button, element, setText } from "../../dom/element";
import { exactShare, real, share } from "../../dom/numbers";
import { oncePerFrame } from "../../dom/schedule";
import { say } from "../../language/say";
import { awaited } from "../../state/awaited";
import type { Explorer } from "../../state/explorer";
import { keptPair, type KeptPair } from "../../state/pair";
import { namesOf, type Run, sequencesOf } from "../../state/run";
import type { HeadRef } from "../../state/sites";
import { watch } from "../../state/store";
import type { PairReading, Pairs } from "../../tiles/pairs";
import { createBars } from "./bars";
import { formulaOf, type FormulaLine, hiddenSentences } from "./formula";

interface Names {
  row: string;
  col: string;
  of: (key: number) => string;
}

/** Returns what tells which weight is shown, once its numbers are here. */
export function mountInside(host: HTMLElement, explorer: Explorer, pairs: Pairs) {
  const where = element("p", { class: "where" });
  const weight = element("p", { class: "inside-weight" });
  const state = element("p", { class: "inside-state", role: "status" });
  const again = button(say("Try again"), { class: "quiet", hidden: true }, () => pairs.retry());
  const bars = createBars();
  const turned = element("p", { class: "aside" });
  const formula = element("ol", { class: "formula", "aria-label": say("From the products to the weight") });
  const hidden = element("p", { class: "inside-hidden" });
  const row = element("div", { class: "inside-row" });
  const numbers = element("div", { class: "inside-numbers", hidden: true }, bars.root, turned, formula, hidden, row);
  host.append(where, weight, state, again, numbers);
  let drawn: PairReading | null = null;
  /** The pair that was brought into sight: once, so that whoever scrolls away is left there. */
  let brought: string | null = null;

  const draw = oncePerFrame(() => {
    const run = explorer.run.value;
    const selected = explorer.selection.value;
    const kept = keptPair(run, selected, explorer.view.value);
    const place = kept && selected && run.id ? { run: run.id, ...selected, ...kept } : null;
    pairs.want(place);
    if (!kept || !place) {
      brought = null;
      where.replaceChildren();
      setText(weight, "");
      const press = say("Press a weight of the map, and it is taken apart here.");
      const { connection } = explorer;
      setText(state, run.sites.size ? press : awaited(run, connection.value, say("Comes with the head's layer."), press));
      numbers.hidden = true;
      again.hidden = true;
      return;
    }
    const names = namesAt(run, place);
    where.replaceChildren(token(names.row), " → ", token(names.col), say(" (row {row}, column {col})", { ...kept }));
    const { reading, failure } = pairs;
    again.hidden = failure === null;
    // The numbers of the pair before stay, fainter, so that nothing jumps while these are on their way.
    numbers.classList.toggle("stale", reading === undefined);
    numbers.setAttribute("aria-busy", String(reading === undefined));
    if (!reading) {
      setText(weight, "");
      const waiting = drawn
        ? say("Its numbers are on their way; those below are of the pair before.")
        : say("Its numbers are on their way.");
      setText(state, failure ? say("The numbers did not come. {reason}", { reason: failure.message }) : waiting);
      if (failure) numbers.hidden = true;
      return;
    }
    setText(state, "");
    setText(weight, exactShare(reading.weight));
    weight.title = say("The weight, exactly");
    numbers.hidden = false;
    if (reading !== drawn) show(reading, names, kept.row, kept.col);
    drawn = reading;
    bringIntoSight(`${kept.row} ${kept.col}`);
  });

  /** The panel lies below the others: a press on the map would seem to do nothing. */
  function bringIntoSight(pair: string): void {
    if (pair !== brought) host.closest(".panel")?.scrollIntoView({ block: "nearest" });
    brought = pair;
  }

  function show(reading: PairReading, names: Names, rowIndex: number, col: number): void {
    const isWhole = reading.rule === "whole";
    bars.root.hidden = isWhole;
    if (!isWhole) bars.show(reading);
    setText(turned, originOf(reading));
    formula.replaceChildren(...formulaOf(reading).map(lineOf));
    const reasons = hiddenSentences(reading);
    const so = reasons.length ? [say("So its score is minus infinity, and its weight 0.")] : [];
    setText(hidden, [...reasons, ...so].join(" "));
    row.replaceChildren(...rowParts(reading, names, rowIndex, col));
  }

  function shown() {
    const run = explorer.run.value;
    const selected = explorer.selection.value;
    const kept = keptPair(run, selected, explorer.view.value);
    const { reading } = pairs;
    if (!kept || !selected || !reading) return null;
    const { row, col } = namesAt(run, { ...selected, ...kept });
    return { ...selected, ...kept, reading, rowName: row, colName: col, formula: formulaOf(reading) };
  }

  watch([explorer.run, explorer.connection, explorer.choices, explorer.selection], draw);
  pairs.onChange(draw);
  draw();
  return shown;
}

function namesAt(run: Run, { site, row, col }: HeadRef & KeptPair): Names {
  const { rows, columns } = sequencesOf(run.sites.get(site) ?? { stack: "decoder", kind: "self" });
  const of = (key: number) => namesOf(run, columns)[key] ?? String(key);
  return { row: namesOf(run, rows)[row] ?? String(row), col: of(col), of };
}

function originOf({ rule, turned }: PairReading): string {
  if (rule === "whole")
    return say("This model hands its maps out whole: what made the weight is not known, only the weight itself.");
  if (turned) return say("q and k as their positions turned them (rotary).");
  if (turned === null) return say("Whether positions turned q and k before, this model does not tell.");
  return "";
}

function lineOf({ name, operand, result, meaning }: FormulaLine): HTMLElement {
  return element(
    "li",
    { class: "formula-line" },
    element("span", { class: "formula-name" }, name),
    element("span", { class: "formula-operand" }, operand),
    element("span", { class: "formula-result" }, `= ${result}`),
    element("span", { class: "formula-meaning aside" }, meaning),
  );
}

/** What the row's softmax is made of. */
function rowParts(reading: PairReading, names: Names, row: number, col: number): Node[] {
  const { strongest, seen, largest_score } = reading;
  if (seen === 0) return [element("p", { class: "aside" }, say("This row sees no key at all."))];
  const rest = 1 - strongest.reduce((sum, { weight }) => sum + weight, 0);
  const lead =
    reading.rule === "whole"
      ? say("The strongest keys of row {row}:", { row })
      : say("Row {row} shares its weight among {n} keys. Its largest score is {score}; the strongest keys:", {
          row,
          n: seen,
          score: real(largest_score ?? 0),
        });
  const top = strongest[0]?.weight ?? 1;
  const others = seen > strongest.length && reading.sink === null && reading.factor === null;
  return [
    element("p", { class: "aside" }, lead),
    element(
      "ol",
      { class: "inside-strongest", "aria-label": say("Strongest keys of the row") },
      ...strongest.map(({ key, weight }) => {
        const bar = element("span", { class: "bar" });
        bar.style.transform = `scaleX(${weight / top})`;
        return element(
          "li",
          { class: key === col ? "bar-row bar-true" : "bar-row" },
          element("span", { class: "bar-name token-name", dir: "auto", title: `${key}` }, names.of(key)),
          element("span", { class: "bar-track" }, bar),
          element("span", { class: "bar-value" }, share(weight)),
        );
      }),
    ),
    ...(others
      ? [element("p", { class: "aside" }, say("All others together: {share}", { share: share(Math.max(0, rest)) }))]
      : []),
  ];
}

function token(name: string): HTMLElement {
  return element("span", { class: "token-name token-strong", dir: "auto" }, name);
}
