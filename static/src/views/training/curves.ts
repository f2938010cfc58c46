/** The curves of a training, drawn as they grow; other trainings can be laid beneath. A press on a curve moves the slider. */
import { element, setText } from "../../dom/element";
import { cssColour, pickColour } from "../../dom/ink";
import { CHART_CONFIG, chartLayout, loadPlotly, type Plotly, type PlotlyHost } from "../../dom/plotly";
import { atMostEvery } from "../../dom/schedule";
import { say } from "../../language/say";
import { type Store, watch } from "../../state/store";
import type { Theme } from "../../state/theme";
import { isUnderWay } from "../../state/training";
import type { TrainingPage } from "../../state/training_page";
import { type ChartName, CHARTS, type Line, linesOf } from "./lines";
import type { JumpMarks } from "./marks";
import { mountCurveTools } from "./curve_tools";

const REDRAW_MS = 400;
const PLOT_PX = { top: 6, right: 10, bottom: 22, left: 50 };

export interface CurveView {
  /** 0 to .99. */
  smoothing: number;
  isLog: boolean;
}

/** The chart of the chosen head stands beneath its map, the others in the column of curves. */
export function mountCurves(
  host: HTMLElement,
  headHost: HTMLElement,
  tools: HTMLElement,
  page: TrainingPage,
  jumps: JumpMarks,
  view: Store<CurveView>,
  theme: Store<Theme>,
  address: string,
): void {
  mountCurveTools(tools, page, view);
  const charts = CHARTS.map(({ name, title, meaning }) => {
    const plot = element("div", { class: "curve-plot", role: "img" });
    const legend = element("p", { class: "curve-legend aside" });
    const words = element("p", { class: "aside curve-words" });
    const root = element(
      "figure",
      { class: `curve curve-${name}` },
      element("figcaption", { title: meaning }, title, legend),
      element("div", { class: "curve-place" }, plot, words),
    );
    (name === "head" ? headHost : host).append(root);
    return { name, title, plot, legend, words };
  });
  let plotly: Plotly | null = null;
  let broken = false;

  const draw = atMostEvery(REDRAW_MS, () => {
    for (const chart of charts) {
      const lines = linesOf(chart.name, page, view.value);
      const isEmpty = lines.every(({ x }) => x.length === 0);
      chart.words.hidden = !isEmpty && plotly !== null;
      chart.plot.classList.toggle("unseen", isEmpty);
      setText(chart.words, wordsFor(isEmpty));
      // One line is what the title says, except for tests: those may be of anything.
      drawLegend(chart.legend, lines.length > 1 || chart.name === "accuracy" ? lines : []);
      if (isEmpty || !plotly) continue;
      chart.plot.setAttribute("aria-label", inWords(chart.title, lines));
      void plotly.react(chart.plot, lines.map(traceOf), layout(chart.name), CHART_CONFIG);
    }
  });

  function wordsFor(isEmpty: boolean): string {
    if (broken) return say("The chart's library did not load. Reload the page to try again.");
    if (!isEmpty) return say("The chart is being loaded.");
    return isUnderWay(page.training.value) ? say("Grows from the first step on.") : say("This training ended before it told of this.");
  }

  function layout(name: ChartName): object {
    const trainings = [page.training.value, ...page.overlays.value.map(({ training }) => training)];
    const steps = Math.max(1, ...trainings.map((training) => training.steps));
    const title = CHARTS.find((chart) => chart.name === name)?.unit ?? "";
    const made = chartLayout({ x: { title: "", range: [0, steps] }, y: { title, range: null } }) as {
      yaxis: object;
    };
    const isLog = view.value.isLog && name !== "accuracy" && name !== "head";
    const yaxis = { ...made.yaxis, ...(isLog ? { type: "log", rangemode: "normal", tickformat: "~g", nticks: 6 } : {}) };
    const margin = { l: PLOT_PX.left, r: PLOT_PX.right, t: PLOT_PX.top, b: PLOT_PX.bottom };
    return { ...made, yaxis, margin, hovermode: "x", shapes: shapes() };
  }

  function shapes(): object[] {
    const upright = (step: number, colour: string, dash: string, width: number) => ({
      type: "line",
      x0: step,
      x1: step,
      y0: 0,
      y1: 1,
      yref: "paper",
      line: { color: colour, dash, width },
    });
    const shown = page.shown.value;
    return [
      ...jumps.value.map(({ step }) => upright(step, cssColour("--looked-by"), "dot", 1)),
      ...(shown ? [upright(shown.step, cssColour("--accent"), "solid", 1.5)] : []),
    ];
  }

  async function load(): Promise<void> {
    try {
      const loaded = await loadPlotly(address);
      for (const { plot } of charts) {
        await loaded.newPlot(plot, [], {}, CHART_CONFIG);
        (plot as unknown as PlotlyHost).on("plotly_click", ({ points }) => {
          const step = points[0]?.x;
          if (step !== undefined) page.show(Math.round(step));
        });
      }
      plotly = loaded;
    } catch {
      broken = true;
    }
    draw();
  }

  void load();
  watch([page.training, page.shown, page.head, page.overlays, view, theme, jumps], draw);
  draw();
}

function traceOf({ x, y, name, colour, dash }: Line): object {
  return {
    type: "scatter",
    mode: x.length < 3 ? "lines+markers" : "lines",
    x,
    y,
    name,
    line: { color: lineColour(colour), width: 1.5, dash },
    marker: { size: 4 },
    hovertemplate: `${name} %{y:.4g}<extra></extra>`,
  };
}

function drawLegend(host: HTMLElement, lines: readonly Line[]): void {
  const key = lines.map(({ name, colour, dash }) => `${name} ${colour} ${dash}`).join("|");
  if (host.dataset.key === key) return;
  host.dataset.key = key;
  host.replaceChildren(
    ...lines.map(({ name, colour, dash }) => {
      const swatch = element("span", { class: `swatch swatch-${dash}`, "aria-hidden": "true" });
      swatch.style.setProperty("--swatch", `var(${colour === 0 ? "--bar" : `--pick-${colour}`})`);
      return element("span", { class: "legend-entry" }, swatch, name);
    }),
  );
}

function lineColour(colour: number): string {
  return colour === 0 ? cssColour("--bar") : pickColour(colour - 1);
}

function inWords(title: string, lines: readonly Line[]): string {
  const ends = lines.map(({ name, y }) => `${name} ${y.length ? (y[y.length - 1] as number).toPrecision(3) : ""}`);
  return say("{title}: {values}", { title, values: ends.join(", ") });
}
