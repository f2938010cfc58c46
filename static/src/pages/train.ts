/** The training page: at /train a plan is put together, at /trainings/ID it is watched while it is learned. */
import "../css/index.css";
import "../css/curves.css";
import "../css/plan.css";
import "../css/sweep.css";
import "../css/training.css";
import { element } from "../dom/element";
import { forgetColours } from "../dom/ink";
import { mountTooltip } from "../dom/tooltip";
import { type Ramp, rampOf } from "../gl/ramp";
import { say } from "../language/say";
import { Store } from "../state/store";
import { PlanEstimate } from "../state/plan_estimate";
import { SweepChoice } from "../state/sweep_choice";
import { SweepPage } from "../state/sweep_page";
import { openTheme, type Theme } from "../state/theme";
import { TrainingForm } from "../state/training_form";
import { MOST_OVERLAYS, TrainingPage } from "../state/training_page";
import type { Presets } from "../state/training_plan";
import { type CurveView, mountCurves } from "../views/training/curves";
import { mountEstimate } from "../views/training/estimate";
import { mountFormed } from "../views/training/formed";
import { mountTrainingForm } from "../views/training/form";
import { mountTrainingHead } from "../views/training/head";
import { mountTrainingHeads } from "../views/training/heads";
import { mountTrainingList } from "../views/training/list";
import { openMarks } from "../views/training/marks";
import { mountSamples } from "../views/training/samples";
import { mountScaling } from "../views/training/scaling";
import { mountSlider } from "../views/training/slider";
import { mountTrainingStatus } from "../views/training/status";
import { mountSweepChoice } from "../views/training/sweep_choice";
import { mountSweepTable } from "../views/training/sweep_table";
import { siteHeader } from "./header";
import { linkButton } from "./tools";
import { tellPageErrors } from "../state/page_errors";

function openPage(app: HTMLElement): void {
  const theme = openTheme(window);
  const ramp = new Store<Ramp>(rampOf(theme.value));
  theme.subscribe((name) => {
    forgetColours();
    ramp.set(rampOf(name));
  });
  app.classList.add("training-app");
  const main = element("main", {});
  const id = app.dataset.training ?? "";
  const sweep = app.dataset.sweep ?? "";
  app.replaceChildren(siteHeader(app, theme, id + sweep === "" ? "/train" : "", ...(id + sweep === "" ? [] : [linkButton()])), main);
  mountTooltip(document.body);
  if (id) watchTraining(main, id, app.dataset.plotlyUrl ?? "", theme, ramp);
  else if (sweep) watchSweep(main, sweep, app.dataset.plotlyUrl ?? "", theme);
  else planTraining(main, JSON.parse(app.dataset.presets || "{}") as Presets);
  // Letters drawn on a canvas do not change by themselves when their font arrives.
  void document.fonts.ready.then(() => ramp.set({ ...ramp.value }));
}

function planTraining(main: HTMLElement, presets: Presets): void {
  const form = new TrainingForm(window, presets);
  document.title = `${say("Train")} · Headlight`;
  main.className = "planning";
  const sheet = element("div", { class: "planning-form" }, element("h1", {}, say("Train a model, and watch its heads form")));
  const estimate = element("section", { class: "planning-estimate" });
  const list = element("section", { class: "planning-list" });
  const sweeps = element("section", { class: "planning-sweeps" });
  main.append(sheet, element("div", { class: "planning-side" }, estimate, sweeps, list));
  mountTrainingForm(sheet, form);
  const costs = new PlanEstimate(form);
  mountEstimate(estimate, costs);
  const choice = new SweepChoice(window, form);
  mountSweepChoice(sweeps, choice);
  mountTrainingList(list, form);
  void form.open();
  void costs.ask();
  void choice.open();
}

/** The base's curves stand first; those of other rows are laid over them from the list of trainings. */
function watchSweep(main: HTMLElement, id: string, plotly: string, theme: Store<Theme>): void {
  const page = new SweepPage(id);
  main.className = "sweeping";
  const table = element("section", {});
  const scaling = element("section", { hidden: true });
  const tools = element("div", { class: "panel-tools curve-tools" });
  const curves = element("div", { class: "curves" });
  main.append(table, scaling, section("curves", say("Curves"), curves, tools));
  mountSweepTable(table, page);
  mountScaling(scaling, page, theme, plotly);
  const stop = page.record.subscribe((record) => {
    const [base, ...others] = record?.rows ?? [];
    if (!base) return;
    stop();
    const training = new TrainingPage(window, base.id);
    mountCurves(curves, element("div"), tools, training, openMarks(training), new Store<CurveView>({ smoothing: 0.6, isLog: false }), theme, plotly);
    training.start();
    const first = training.others.subscribe((known) => {
      if (known.length === 0) return;
      first();
      for (const { id: other } of others.slice(0, MOST_OVERLAYS)) void training.overlay(other);
    });
  });
  page.start();
}

function watchTraining(main: HTMLElement, id: string, plotly: string, theme: Store<Theme>, ramp: Store<Ramp>): void {
  const page = new TrainingPage(window, id);
  const jumps = openMarks(page);
  main.className = "watching";
  const status = element("section", { class: "watching-status", "aria-label": say("State of the training") });
  const slider = element("section", { class: "watching-slider", "aria-label": say("Steps") });
  const tools = element("div", { class: "panel-tools curve-tools" });
  const curves = element("div", { class: "curves" });
  const heads = element("div", { class: "training-heads" });
  const formed = element("div", { class: "training-heads" });
  const headCurve = element("div", { class: "training-heads" });
  const head = element("div", { class: "training-head" });
  const samples = element("div", { class: "training-samples" });
  main.append(
    status,
    slider,
    element(
      "div",
      { class: "watching-bench" },
      section("curves", say("Curves"), curves, tools),
      section("heads", say("Every head on the probe text"), element("div", {}, heads, formed)),
      section("head", say("This head"), element("div", {}, head, headCurve, section("samples", say("What it writes"), samples))),
    ),
  );
  mountTrainingStatus(status, page);
  mountSlider(slider, page, jumps);
  mountCurves(curves, headCurve, tools, page, jumps, new Store<CurveView>({ smoothing: 0.6, isLog: false }), theme, plotly);
  mountTrainingHeads(heads, page, ramp);
  mountFormed(formed, page, jumps);
  mountTrainingHead(head, page, ramp);
  mountSamples(samples, page);
  page.start();
}

function section(name: string, title: string, body: HTMLElement, tools: HTMLElement | false = false): HTMLElement {
  const heading = element("h2", { id: `section-${name}` }, title);
  return element(
    "section",
    { class: `watching-${name}`, "aria-labelledby": heading.id },
    element("header", { class: "panel-head" }, heading, tools),
    body,
  );
}

const app = document.getElementById("app");
if (app) {
  tellPageErrors(() => app.dataset.training ?? "");
  openPage(app);
}
