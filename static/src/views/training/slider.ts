/** The one slider of steps: every panel shows what was at its place. Marks above it say when heads became what they are. */
import { button, element, setAttributes, setText } from "../../dom/element";
import { setIcon } from "../../dom/icons";
import { count } from "../../dom/numbers";
import { oncePerFrame } from "../../dom/schedule";
import { say } from "../../language/say";
import { watch } from "../../state/store";
import { isUnderWay } from "../../state/training";
import type { TrainingPage } from "../../state/training_page";
import { jumpInWords, type JumpMarks, showJump } from "./marks";

/** From snapshot to snapshot, as the steps between them show nothing. */
const PLACES: Record<string, number> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -10,
  PageUp: 10,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

export function mountSlider(host: HTMLElement, page: TrainingPage, jumps: JumpMarks): void {
  const play = button("", { class: "quiet play" }, () => page.play(!page.playing.value));
  const range = element("input", { type: "range", min: 0, max: 0, value: 0, step: 1, "aria-label": say("Step that is shown") });
  const marks = element("div", { class: "slider-marks" });
  const where = element("output", { class: "slider-where" });
  const newest = button(say("Follow the newest"), { class: "quiet" }, () => page.showNewest());
  host.append(play, element("div", { class: "slider-track" }, marks, range), where, newest);
  range.addEventListener("input", () => {
    page.play(false);
    page.show(Number(range.value));
    // Only looked-at steps can be shown: the thumb goes back to the last of them.
    draw();
  });
  range.addEventListener("keydown", (event) => {
    const places = PLACES[event.key];
    if (places === undefined) return;
    event.preventDefault();
    page.play(false);
    page.move(places);
  });

  let drawnMarks: unknown = null;
  const draw = oncePerFrame(() => {
    const { snapshots, steps } = page.training.value;
    const shown = page.shown.value;
    range.disabled = snapshots.length < 2;
    play.disabled = snapshots.length < 2;
    setAttributes(range, { max: Math.max(1, steps) });
    range.value = String(shown?.step ?? 0);
    const words = shown ? say("step {step} of {steps}", { step: count(shown.step), steps: count(steps) }) : say("No heads yet");
    setAttributes(range, { "aria-valuetext": words });
    setText(where, words);
    setIcon(play, page.playing.value ? "pause" : "play");
    setAttributes(play, { "aria-label": page.playing.value ? say("Stop playing") : say("Play through the steps") });
    const follows = isUnderWay(page.training.value);
    newest.hidden = !follows;
    newest.disabled = page.chosenStep.value === null;
    setText(newest, page.chosenStep.value === null ? say("Follows the newest") : say("Follow the newest"));
    if (drawnMarks !== jumps.value) {
      drawnMarks = jumps.value;
      marks.replaceChildren(
        ...jumps.value.map((jump) => {
          const mark = button("", { class: "slider-mark", title: jumpInWords(jump), "aria-label": jumpInWords(jump) }, () =>
            showJump(page, jump),
          );
          mark.style.setProperty("--at", String(jump.step / Math.max(1, steps)));
          return mark;
        }),
      );
    }
  });
  watch([page.training, page.shown, page.playing, page.chosenStep, jumps], draw);
  draw();
}
