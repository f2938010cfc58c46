/** The most likely tokens after the pointed, kept or last one; for an encoder, in its place. */
import { element, setText } from "../dom/element";
import { oncePerFrame } from "../dom/schedule";
import { roundTop, share } from "../dom/numbers";
import { say } from "../language/say";
import { awaited } from "../state/awaited";
import type { Explorer } from "../state/explorer";
import { watch } from "../state/store";
import { isMask, nextAt, placeOfRest } from "../state/next";
import { type Classes, namesOf } from "../state/run";
import { tokenName } from "../state/text";

const SHOWN = 10;

export function mountProbabilities(host: HTMLElement, tools: HTMLElement, explorer: Explorer): void {
  const where = element("p", { class: "where" });
  const bars = element("ol", { class: "bars", "aria-label": say("Most likely next tokens") });
  const truth = element("p", { class: "aside" });
  const rows = Array.from({ length: SHOWN }, () => {
    const name = element("span", { class: "bar-name token-name", dir: "auto" });
    const bar = element("span", { class: "bar" });
    const value = element("span", { class: "bar-value" });
    const row = element(
      "li",
      { class: "bar-row", hidden: true },
      name,
      element("span", { class: "bar-track" }, bar),
      value,
    );
    bars.append(row);
    return { row, name, bar, value };
  });
  const scale = element("span", { class: "aside" });
  tools.append(scale);
  const note = element(
    "p",
    { class: "aside", hidden: true },
    say("An encoder reads this token too, so this is no guess in the dark. Write [MASK] or <mask> here to hide it."),
  );
  host.append(where, bars, truth, note);

  const draw = oncePerFrame(() => {
    const { next, sequences, classes } = explorer.run.value;
    host.classList.toggle("waiting", next === null && classes === null);
    if (classes) return drawClasses(classes);
    if (!next) {
      setText(where, whyNone(explorer));
      for (const { row } of rows) row.hidden = true;
      truth.textContent = "";
      scale.textContent = "";
      note.hidden = true;
      return;
    }
    const tokens = sequences[next.sequence];
    const active = explorer.active.value;
    const isGuess = next.sequence === "encoder";
    bars.setAttribute("aria-label", isGuess ? say("Guesses at this place") : say("Most likely next tokens"));
    const rest = placeOfRest(next, tokens);
    const last = (next.arrays.ids.shape[0] ?? 1) - 1;
    const position = active?.sequence === next.sequence && active.index <= last ? active.index : rest;
    const isHidden = isGuess && tokens !== undefined && isMask(tokens, position);
    note.hidden = !isGuess || isHidden;
    const { candidates, truth: right } = nextAt(next, tokens, position);
    where.replaceChildren(
      `${isGuess ? say("in place of") : say("after")} `,
      element(
        "span",
        { class: "token-name token-strong", dir: "auto" },
        namesOf(explorer.run.value, next.sequence)[position] ?? "",
      ),
      ` (${position === last ? say("the last token") : say("position {n}", { n: position })})`,
    );
    const top = roundTop(candidates[0]?.probability ?? 1);
    scale.textContent = top < 1 ? say("bars end at {top}", { top: share(top) }) : "";
    rows.forEach(({ row, name, bar, value }, rank) => {
      const candidate = candidates[rank];
      row.hidden = !candidate;
      if (!candidate) return;
      name.textContent = tokenName(candidate.text);
      bar.style.transform = `scaleX(${candidate.probability / top})`;
      value.textContent = share(candidate.probability);
      row.classList.toggle("bar-true", candidate.id === right?.id);
    });
    const lead = `${isGuess ? say("the text has") : say("here the text goes on with")} `;
    truth.replaceChildren(...(right && !isHidden ? truthParts(lead, right.text, right.rank, candidates.length) : []));
  });

  function drawClasses({ texts, arrays }: Classes): void {
    const { values } = arrays.probabilities;
    bars.setAttribute("aria-label", say("Most likely classes"));
    setText(where, say("what the picture shows"));
    const top = roundTop(values[0] ?? 1);
    scale.textContent = top < 1 ? say("bars end at {top}", { top: share(top) }) : "";
    rows.forEach(({ row, name, bar, value }, rank) => {
      const probability = values[rank];
      row.hidden = probability === undefined;
      row.classList.remove("bar-true");
      if (probability === undefined) return;
      name.textContent = texts[rank] ?? "";
      bar.style.transform = `scaleX(${probability / top})`;
      value.textContent = share(probability);
    });
    truth.replaceChildren();
    note.hidden = true;
  }

  watch([explorer.run, explorer.connection, explorer.models, explorer.active], draw);
  draw();
}

function whyNone({ run, connection, modelOfRun }: Explorer): string {
  const sees = modelOfRun?.architecture === "vision";
  const never = sees ? say("This model names no classes.") : say("This model gives no token probabilities.");
  const gives = modelOfRun === null || modelOfRun.output === (sees ? "classes" : "vocabulary");
  const isWriting = run.value.kind === "generate";
  const comes = isWriting ? say("Comes when the text is finished.") : say("Comes after the last layer.");
  return awaited(run.value, connection.value, gives ? comes : never, never);
}

function truthParts(lead: string, text: string, rank: number | null, many: number): (Node | string)[] {
  const place =
    rank === null
      ? say(", not among the first {n}", { n: many })
      : rank === 0
        ? say(", the likeliest")
        : say(", number {n} of these", { n: rank + 1 });
  return [
    lead,
    element("span", { class: "token-name token-strong", dir: "auto" }, tokenName(text)),
    place,
  ];
}
