/** The tour's card: it stands beside the place that it points at, and goes on when the step is done. */
import { button, element } from "../dom/element";
import { announce } from "../dom/tooltip";
import { say } from "../language/say";
import type { Explorer } from "../state/explorer";
import { watch } from "../state/store";
import { type Seen, type TourStep, tourSteps } from "../state/tour";

const GAP_PX = 12;
const DONE_MS = 900;
const TAKEN = "headlight-tour-taken";

/** Gives the button that starts it. */
export function mountTour(host: HTMLElement, explorer: Explorer): HTMLElement {
  const start = button(say("Tour"), { class: "quiet tour-start", title: say("Four steps, a minute in all") }, () =>
    begin(),
  );
  start.classList.toggle("tour-new", window.localStorage.getItem(TAKEN) === null);
  const count = element("p", { class: "tour-count" });
  const title = element("h2", { class: "tour-title" });
  const words = element("p", { class: "tour-words" });
  const skip = button(say("Skip this step"), { class: "quiet" }, () => next());
  const end = button(say("End the tour"), { class: "quiet" }, () => close());
  const card = element(
    "section",
    { class: "tour-card", role: "dialog", "aria-label": say("Tour"), hidden: true },
    count,
    title,
    words,
    element("div", { class: "tour-buttons" }, skip, end),
  );
  host.append(card);

  const steps = tourSteps();
  let at = -1;
  let before = seen();
  let lit: Element | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function seen(): Seen {
    const { selection, view, hover, run } = explorer;
    return { selection: selection.value, view: view.value, hover: hover.value, run: run.value.id };
  }

  function begin(): void {
    window.localStorage.setItem(TAKEN, "yes");
    start.classList.remove("tour-new");
    // The tour points at the map.
    explorer.view.update((view) => ({ ...view, drawing: "map" }));
    show(0);
  }

  function show(place: number): void {
    clearTimeout(timer);
    at = place;
    before = seen();
    const step = steps[at];
    if (!step) return close();
    card.hidden = false;
    card.classList.remove("tour-done");
    count.textContent = say("Step {n} of {all}", { n: at + 1, all: steps.length });
    title.textContent = step.title;
    words.textContent = step.words;
    skip.hidden = at === steps.length - 1;
    light(step);
    announce(`${step.title}. ${step.words}`);
  }

  function next(): void {
    show(at + 1);
  }

  function close(): void {
    clearTimeout(timer);
    at = -1;
    card.hidden = true;
    lit?.classList.remove("tour-lit");
    lit = null;
    if (document.activeElement === document.body) start.focus();
  }

  function light(step: TourStep): void {
    lit?.classList.remove("tour-lit");
    lit =
      step.places.map((selector) => document.querySelector(selector)).find((found) => found && isInSight(found)) ?? null;
    lit?.classList.add("tour-lit");
    placeCard();
  }

  /** Beside its place where there is room: right, left, below, above; else at the bottom of the window. */
  function placeCard(): void {
    if (card.hidden) return;
    const place = lit?.getBoundingClientRect();
    const { width, height } = card.getBoundingClientRect();
    const room = { width: window.innerWidth - GAP_PX, height: window.innerHeight - GAP_PX };
    let [x, y] = [GAP_PX, room.height - height];
    if (place) {
      const middle = Math.min(Math.max(GAP_PX, place.top + GAP_PX), room.height - height);
      if (place.right + GAP_PX + width <= room.width) [x, y] = [place.right + GAP_PX, middle];
      else if (place.left - GAP_PX - width >= 0) [x, y] = [place.left - GAP_PX - width, middle];
      else if (place.bottom + GAP_PX + height <= room.height) [x, y] = [GAP_PX, place.bottom + GAP_PX];
      else if (place.top - GAP_PX - height >= 0) [x, y] = [GAP_PX, place.top - GAP_PX - height];
    }
    card.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  }

  watch([explorer.selection, explorer.view, explorer.hover, explorer.run], () => {
    const step = steps[at];
    if (!step || card.classList.contains("tour-done") || !step.isDone(before, seen())) return;
    card.classList.add("tour-done");
    words.textContent = at === steps.length - 1 ? say("That is all. Enjoy.") : say("Just so.");
    timer = setTimeout(next, DONE_MS);
  });
  window.addEventListener("resize", placeCard);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && at >= 0) close();
  });
  return start;
}

function isInSight(place: Element): boolean {
  const { left, top } = place.getBoundingClientRect();
  const isDrawn = place.checkVisibility({ visibilityProperty: true });
  return isDrawn && left >= 0 && left < window.innerWidth && top < window.innerHeight;
}
