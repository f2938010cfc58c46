/** What each layer of the model already knows: its own head on what every layer leaves. Asked for when it is in sight. */
import { button, element, setText } from "../../dom/element";
import { share } from "../../dom/numbers";
import { oncePerFrame } from "../../dom/schedule";
import { createSwitch } from "../../dom/switch";
import { hideTooltip, showTooltip } from "../../dom/tooltip";
import type { Ramp } from "../../gl/ramp";
import { say } from "../../language/say";
import { awaited } from "../../state/awaited";
import type { Explorer } from "../../state/explorer";
import { besides, type LensCell, lensRange, type LensRange, lensRows } from "../../state/lens";
import { namesOf } from "../../state/run";
import { type Store, watch } from "../../state/store";
import { tokenName } from "../../state/text";
import type { Tuning } from "../../state/tuning";
import type { TokenRef } from "../../state/view";
import type { Lenses, LensReading } from "../../tiles/lenses";
import { createLensTable, depthInWords, lensLegend, type Pointed, truthInWords } from "./table";
import { createTraining } from "./training";

const OPEN = "headlight-lens-open";
/** A pointer on its way over the text asks for nothing. */
const REST_MS = 150;
const NARROW = matchMedia("(max-width: 1023px)");

export function mountLens(
  panel: HTMLDetailsElement,
  host: HTMLElement,
  tools: HTMLElement,
  explorer: Explorer,
  lenses: Lenses,
  tuning: Tuning,
  ramp: Store<Ramp>,
): { tools: HTMLElement; shown(): LensReading | null; inSight(): LensReading | null } {
  const { shared } = explorer;
  const kept = shared?.lens ?? null;
  const where = element("p", { class: "where" });
  const state = element("p", { class: "lens-state", role: "status" });
  const again = button(say("Try again"), { class: "quiet", hidden: true }, () => lenses.retry());
  const detail = element("p", { class: "lens-detail" });
  const earlier = button("◂", { class: "quiet", "aria-label": say("Earlier positions") }, () => move(-1));
  const later = button("▸", { class: "quiet", "aria-label": say("Later positions") }, () => move(1));
  const span = element("span", { class: "lens-span" });
  const table = createLensTable({ onPoint: point, onKeep: keep, onLeave: move });
  const shownParts = element("div", { hidden: true }, table.root, detail, lensLegend());
  const training = createTraining(explorer, tuning);
  const walk = element("div", { class: "lens-walk" }, earlier, span, later);
  host.append(where, walk, state, again, shownParts, training.root);
  let isTuned = kept?.tuned ?? false;
  const kinds = createSwitch(
    say("Kind of lens"),
    [
      { value: "logit", label: say("Logit"), title: say("The model's own head on what each layer leaves") },
      { value: "tuned", label: say("Tuned"), title: say("The same, after a translation that was trained for each layer") },
    ],
    (kind) => {
      isTuned = kind === "tuned";
      draw();
    },
  );
  tools.append(kinds.root);

  let range: LensRange | null = null;
  let drawn: LensReading | null = null;
  let drawnIn: Ramp | null = null;
  let isInSight = false;
  let pointed: Pointed | null = null;
  let walkedFrom: TokenRef | null = null;
  let rest: ReturnType<typeof setTimeout> | undefined;

  const draw = oncePerFrame(() => {
    if (!panel.open || !isInSight || !host.checkVisibility({ visibilityProperty: true })) return;
    const run = explorer.run.value;
    // A share has kept one lens, and trains none.
    tuning.follow(run.phase === "finished" && !shared ? run.model : null);
    training.draw();
    const { tuned = null } = tuning.state.value ?? {};
    kinds.root.hidden = tuned === null;
    kinds.choose(isTuned && tuned ? "tuned" : "logit");
    const isReady = run.id !== null && run.phase === "finished" && !explorer.isAsWritten;
    const wished = isReady ? lensRange(run, wanted(), range, kept) : null;
    if (wished !== range && range && wished && isPassing(wished)) {
      clearTimeout(rest);
      rest = setTimeout(() => {
        range = lensRange(explorer.run.value, wanted(), range, kept);
        draw();
      }, REST_MS);
    } else range = wished;
    const kind = isTuned && tuned ? { tuned: true, trained: String(tuned.trained_at) } : { tuned: kept?.tuned ?? false };
    const place = range && run.id ? { run: run.id, positions: range.positions, ...kind } : null;
    lenses.want(place);
    const { reading, failure } = lenses;
    again.hidden = failure === null;
    earlier.disabled = !range || besides(range, -1) === null;
    later.disabled = !range || besides(range, 1) === null;
    shownParts.classList.toggle("stale", reading === undefined);
    shownParts.setAttribute("aria-busy", String(reading === undefined && place !== null));
    if (!range || !place) {
      drawn = null;
      shownParts.hidden = true;
      setText(where, "");
      setText(span, "");
      setText(state, whyNone());
      return;
    }
    setText(span, say("positions {a} to {b} of {n}", { a: range.positions[0], b: range.positions[1] - 1, n: range.length }));
    if (!reading) {
      // In a line that is there anyway: the table shall not move under the pointer.
      setText(where, failure ? "" : say("The layers are read."));
      setText(state, failure?.message ?? "");
      if (failure) shownParts.hidden = true;
      return;
    }
    setText(state, "");
    setText(where, shared && reading.tuned ? `${WHAT[reading.guesses]} · ${say("Tuned")}` : WHAT[reading.guesses]);
    shownParts.hidden = false;
    if (reading !== drawn || ramp.value !== drawnIn) table.show(lensRows(reading), namesOf(run, range.sequence), ramp.value);
    [drawn, drawnIn] = [reading, ramp.value];
    const active = explorer.active.value;
    table.mark(active?.sequence === range.sequence ? active.index : null);
    describe();
  });

  /** The token that the window shall show: a kept one that somebody walked away from does not bring it back. */
  function wanted(): TokenRef | null {
    const { value: active } = explorer.active;
    const isLeft = active?.index === walkedFrom?.index && active?.sequence === walkedFrom?.sequence;
    if (!isLeft) walkedFrom = null;
    return isLeft ? null : active;
  }

  /** Whether only a pointer that may be on its way asks for another window. */
  function isPassing(wished: LensRange): boolean {
    const isSameText = wished.sequence === range?.sequence && wished.length === range.length;
    return isSameText && explorer.view.value.token === null && explorer.hover.value !== null;
  }

  function whyNone(): string {
    const { run, connection, isAsWritten } = explorer;
    if (isAsWritten) return say("Comes when the text is finished.");
    return awaited(run.value, connection.value, say("Comes after the last layer."), say("This run has no tokens."));
  }

  function move(direction: -1 | 1): boolean {
    const next = range && besides(range, direction);
    if (!next) return false;
    range = next;
    walkedFrom = explorer.active.value;
    draw();
    return true;
  }

  function point(at: Pointed | null): void {
    pointed = at;
    const { hover } = explorer;
    if (at && range && hover.value?.index !== at.position) hover.set({ sequence: range.sequence, index: at.position });
    if (!at) hover.set(null);
    if (at?.cell) showTooltip(at.place.right, at.place.top, ...guessLines(at.cell));
    else hideTooltip();
    describe();
  }

  function keep(position: number): void {
    if (!range) return;
    const kept = explorer.view.value.token;
    const isKept = kept?.sequence === range.sequence && kept.index === position;
    explorer.lock(isKept ? null : { sequence: range.sequence, index: position });
  }

  /** The cell that is pointed at; else what the model says where the shown token stands. */
  function describe(): void {
    if (!drawn || !range) return setText(detail, "");
    const active = explorer.active.value;
    const position = active?.sequence === range.sequence ? active.index : range.positions[1] - 1;
    const [last] = lensRows(drawn);
    const cell = pointed?.cell ?? last?.cells.find((known) => known.position === position);
    if (!cell) return setText(detail, "");
    const name = namesOf(explorer.run.value, range.sequence)[cell.position] ?? String(cell.position);
    const guesses = guessLines(cell).join(" · ");
    setText(detail, `${depthInWords(pointed?.depth ?? last?.depth ?? 0)}, ${say("at {token}", { token: name })}: ${guesses}`);
  }

  const isWished = kept !== null || window.localStorage.getItem(OPEN) === "yes";
  panel.open = NARROW.matches || isWished;
  NARROW.addEventListener("change", () => (panel.open ||= NARROW.matches));
  panel.addEventListener("toggle", () => {
    if (!NARROW.matches && !shared) window.localStorage.setItem(OPEN, panel.open ? "yes" : "no");
    draw();
  });
  panel.addEventListener("transitionend", draw);
  new IntersectionObserver((entries) => {
    isInSight = entries.at(-1)?.isIntersecting ?? false;
    draw();
  }).observe(host);
  watch([explorer.run, explorer.connection, explorer.active, explorer.player.shown, ramp], draw);
  lenses.onChange(draw);
  tuning.state.subscribe(draw);
  const shown = () => (shownParts.hidden ? null : drawn);
  return { tools, shown, inSight: () => (panel.open && host.checkVisibility({ visibilityProperty: true }) ? shown() : null) };
}

const WHAT: Record<LensReading["guesses"], string> = {
  next: say("the next token, were this layer the last"),
  own: say("the token in its place, were this layer the last"),
  class: say("what the picture shows, were this layer the last"),
};

function guessLines(cell: LensCell): string[] {
  const lines = cell.guesses.map(({ text, probability }) => `${tokenName(text)} ${share(probability)}`);
  return cell.truth ? [...lines, truthInWords(cell.truth)] : lines;
}
