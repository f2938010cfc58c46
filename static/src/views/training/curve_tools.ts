/** How curves are drawn: smoothed or not, on a logarithmic scale or not, and with which other trainings beneath. */
import { button, element, setAttributes } from "../../dom/element";
import { createMenu } from "../../dom/menu";
import { say } from "../../language/say";
import { type Store, watch } from "../../state/store";
import type { TrainingPage } from "../../state/training_page";
import { planSize } from "../../state/training_plan";
import { overlayName } from "./lines";

const MOST_SMOOTHING = 0.98;

export function mountCurveTools(host: HTMLElement, page: TrainingPage, view: Store<{ smoothing: number; isLog: boolean }>): void {
  const smoothing = element("input", {
    type: "range",
    min: 0,
    max: MOST_SMOOTHING,
    step: 0.02,
    value: view.value.smoothing,
    "aria-label": say("Smoothing of the curves"),
    title: say("A running mean; at the left every step stands as it was"),
  });
  smoothing.addEventListener("input", () => view.update((now) => ({ ...now, smoothing: Number(smoothing.value) })));
  const log = button(say("Log scale"), { class: "quiet", "aria-pressed": "false" }, () =>
    view.update((now) => ({ ...now, isLog: !now.isLog })),
  );
  const compare = createMenu(say("Compare with"), (id) => void page.overlay(id));
  compare.root.classList.add("menu-right");
  const show = () => {
    setAttributes(log, { "aria-pressed": String(view.value.isLog) });
    const shown = new Set(page.overlays.value.map(({ record }) => record.id));
    compare.setChoices(
      page.others.value.map(({ id, plan }) => ({
        value: id,
        label: `${shown.has(id) ? "✓ " : ""}${overlayName(plan, id)}`,
        detail: planSize(plan),
      })),
    );
    compare.setDisabled(page.others.value.length === 0);
  };
  watch([view, page.others, page.overlays], show);
  show();
  host.append(element("label", { class: "curve-smoothing" }, element("span", {}, say("Smooth")), smoothing), log, compare.root);
}
