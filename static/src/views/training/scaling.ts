/** A scaling sweep as a chart: each run's computing and loss, the fitted law's curve of each size, the best that a budget buys. */
import { element, setText } from "../../dom/element";
import { cssColour, pickColour } from "../../dom/ink";
import { CHART_CONFIG, chartLayout, loadPlotly, type Plotly } from "../../dom/plotly";
import { shortCount } from "../../language/amounts";
import { say } from "../../language/say";
import { type Store, watch } from "../../state/store";
import type { PowerLaw, SweepPage, SweepRow } from "../../state/sweep_page";
import type { Theme } from "../../state/theme";

/** FLOPs of a parameter and a token: Kaplan et al. 2020, 2.1. */
const FLOPS = 6;
const POINTS = 40;
/** The line of best splits reaches a little beyond what was tried. */
const BEYOND = 4;

interface Tried {
  parameters: number;
  tokens: number;
  loss: number;
}

export function mountScaling(host: HTMLElement, page: SweepPage, theme: Store<Theme>, address: string): void {
  const plot = element("div", { class: "scaling-plot", role: "img" });
  const words = element("p", { class: "aside", role: "status" });
  host.append(element("h2", {}, say("Loss by computing")), plot, words);
  let plotly: Plotly | null = null;
  const draw = () => {
    const record = page.record.value;
    host.hidden = record?.kind !== "scaling";
    if (!record || host.hidden) return;
    if (!plotly) {
      void loadPlotly(address).then((loaded) => {
        plotly = loaded;
        draw();
      });
      return;
    }
    const tried = record.rows.map(triedOf).filter((one): one is Tried => one !== null);
    setText(words, wordsOf(record.law, tried));
    plot.classList.toggle("unseen", tried.length === 0);
    if (tried.length === 0) return;
    plot.setAttribute("aria-label", wordsOf(record.law, tried));
    const layout = chartLayout({ x: { title: say("FLOPs"), range: null }, y: { title: say("held-out loss, nats"), range: null } }) as {
      xaxis: object;
      yaxis: object;
    };
    Object.assign(layout.xaxis, { type: "log", exponentformat: "power", rangemode: "normal" });
    Object.assign(layout.yaxis, { rangemode: "normal" });
    void plotly.react(plot, traces(tried, record.law), { ...layout, showlegend: true, legend: { orientation: "h", y: -0.25 } }, CHART_CONFIG);
  };
  watch([page.record, theme], draw);
  draw();
}

export function traces(tried: Tried[], law: PowerLaw | null): object[] {
  const sizes = [...new Set(tried.map(({ parameters }) => parameters))].sort((a, b) => a - b);
  const shown: object[] = [];
  const [least, most] = [Math.min, Math.max].map((of) => of(...tried.map(flopsOf))) as [number, number];
  sizes.forEach((size, place) => {
    const colour = pickColour(place);
    const name = say("{n} parameters", { n: shortCount(size) });
    const own = tried.filter(({ parameters }) => parameters === size);
    shown.push({ x: own.map(flopsOf), y: own.map(({ loss }) => loss), name, mode: "markers", marker: { color: colour, size: 9, symbol: place } });
    if (!law) return;
    const x = budgets(Math.min(...own.map(flopsOf)), Math.max(...own.map(flopsOf)));
    const y = x.map((flops) => lossAt(law, size, flops / FLOPS / size));
    shown.push({ x, y, mode: "lines", line: { color: colour, width: 1.5, dash: "dot" }, hoverinfo: "skip", showlegend: false });
  });
  if (law && law.optima.length > 0) {
    const x = budgets(least, most * BEYOND);
    const y = x.map((flops) => lossAt(law, ...bestSplit(law, flops)));
    shown.push({ x, y, name: say("best split of a budget"), mode: "lines", line: { color: cssColour("--ink"), width: 2 } });
  }
  return shown;
}

function bestSplit(law: PowerLaw, flops: number): [number, number] {
  const { size_factor: a, size_exponent: alpha, tokens_factor: b, tokens_exponent: beta } = law;
  const parameters = ((alpha * a) / (beta * b)) ** (1 / (alpha + beta)) * (flops / FLOPS) ** (beta / (alpha + beta));
  return [parameters, flops / FLOPS / parameters];
}

function lossAt(law: PowerLaw, parameters: number, tokens: number): number {
  return law.irreducible + law.size_factor / parameters ** law.size_exponent + law.tokens_factor / tokens ** law.tokens_exponent;
}

function budgets(least: number, most: number): number[] {
  return Array.from({ length: POINTS }, (_, place) => least * (most / least) ** (place / (POINTS - 1)));
}

function flopsOf({ parameters, tokens }: Tried): number {
  return FLOPS * parameters * tokens;
}

function triedOf({ parameters, tokens, metrics }: SweepRow): Tried | null {
  const loss = metrics?.loss;
  return parameters === null || tokens === null || loss === undefined ? null : { parameters, tokens, loss };
}

function wordsOf(law: PowerLaw | null, tried: Tried[]): string {
  if (!law) return say("{n} runs have ended. The law is fitted once there are 6 of several sizes and lengths.", { n: tried.length });
  const fitted = `L = ${law.irreducible.toFixed(3)} + ${law.size_factor.toPrecision(3)} / N^${law.size_exponent.toFixed(2)} + ${law.tokens_factor.toPrecision(3)} / D^${law.tokens_exponent.toFixed(2)}`;
  const told = say("Fitted: {law}, N parameters, D tokens (Hoffmann et al. 2022, 3.3), {error} % off.", { law: fitted, error: (100 * law.error).toFixed(1) });
  const last = law.optima.at(-1);
  if (!last) return `${told} ${say("Here more of one alone does not help, so no split of a budget is best.")}`;
  const [flops, parameters, tokens] = last;
  return `${told} ${say("{flops} FLOPs are best spent on {parameters} parameters and {tokens} tokens.", { flops: flops.toExponential(1), parameters: shortCount(parameters), tokens: shortCount(tokens) })}`;
}
