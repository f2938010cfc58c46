/** One measure of every head by layer, as a Plotly chart; a press on a dot shows that head. Loaded when it is opened. */
import { element, setText } from "../dom/element";
import { createMenu } from "../dom/menu";
import { roundTop } from "../dom/numbers";
import { CHART_CONFIG, chartLayout, loadPlotly, type Plotly, type PlotlyHost } from "../dom/plotly";
import { cssColour } from "../dom/ink";
import { say } from "../language/say";
import { atMostEvery } from "../dom/schedule";
import { awaited } from "../state/awaited";
import type { Explorer } from "../state/explorer";
import { MEASURES, measuresOf, type MeasureText } from "../state/labels";
import { measureOf, type Site } from "../state/run";
import { headName } from "../state/sites";
import { type Store, watch } from "../state/store";
import type { Theme } from "../state/theme";
import type { HeadRef } from "../state/sites";

const MOST_TICKS = 16;
const OPEN = "headlight-chart-open";
/** Heads of one layer stand side by side within this part of the layer's width. */
const SPREAD = 0.7;
/** A chart of a thousand heads takes some milliseconds, and layers arrive faster than one can look. */
const REDRAW_MS = 150;
const SYMBOLS: Record<string, string> = {
  "encoder.self": "square",
  "decoder.self": "circle",
  "decoder.cross": "diamond",
};

export function mountChart(
  panel: HTMLDetailsElement,
  host: HTMLElement,
  tools: HTMLElement,
  explorer: Explorer,
  theme: Store<Theme>,
  address: string,
): { tools: HTMLElement; shown(): { measure: MeasureText; dots: Dot[] } } {
  let measure = MEASURES[0] as MeasureText;
  let chosen: MeasureText | null = null;
  let plotly: Plotly | null = null;
  let lastDrawn = "";
  let isLoading = false;
  const menu = createMenu(say("Measure"), (name) => {
    chosen = MEASURES.find((known) => known.name === name) ?? null;
    draw();
  });
  menu.root.classList.add("menu-right");
  tools.append(menu.root);
  const plot = element("div", { class: "chart" });
  const words = element("p", { class: "aside chart-words" });
  const legend = element("p", { class: "aside chart-legend", hidden: true }, say("■ encoder  ● decoder  ◆ cross-attention"));
  host.append(plot, words, legend);

  const draw = atMostEvery(REDRAW_MS, () => {
    const sites = [...explorer.run.value.sites.values()];
    const offered = MEASURES.filter((known) => sites.some((site) => measuresOf(site).includes(known)));
    if (!offered.includes(chosen ?? measure)) chosen = null;
    const common = offered.find((known) => sites.every((site) => measuresOf(site).includes(known)));
    measure = chosen ?? common ?? offered[0] ?? measure;
    menu.setChoices(
      offered.map(({ name, title, meaning }) => ({ value: name, label: title, detail: meaning })),
      measure.name,
    );
    menu.setLabel(measure.title);
    menu.setDisabled(offered.length === 0);
    if (!panel.open) return;
    plot.classList.toggle("chart-empty", sites.length === 0);
    words.hidden = sites.length > 0;
    if (sites.length === 0) setText(words, whyEmpty());
    legend.hidden = !sites.some(({ stack }) => stack === "encoder");
    if (sites.length === 0) return;
    if (!plotly) return void load();
    const heads = dots();
    const selected = explorer.selection.value;
    const drawn = [
      explorer.run.value.id,
      sites.length,
      measure.name,
      theme.value,
      selected?.site,
      selected?.head,
    ].join();
    if (drawn === lastDrawn) return;
    lastDrawn = drawn;
    void plotly.react(plot, [trace(heads)], layout(heads), CHART_CONFIG);
  });

  function whyEmpty(): string {
    const { run, connection } = explorer;
    return awaited(run.value, connection.value, say("Fills layer by layer."), say("This run has no heads to show."));
  }

  function dots(): Dot[] {
    const sites = [...explorer.run.value.sites.values()].filter((site) => measuresOf(site).includes(measure));
    return sites.flatMap((site) => dotsOf(site, measure.name));
  }

  function trace(heads: Dot[]): object {
    const selected = explorer.selection.value;
    const isSelected = (dot: Dot) => dot.site === selected?.site && dot.head === selected.head;
    return {
      type: "scatter",
      mode: "markers",
      x: heads.map(({ x }) => x),
      y: heads.map(({ y }) => y),
      text: heads.map(({ site, head }) => headName(site, head)),
      hovertemplate: "%{text}<br>%{y:.3f}<extra></extra>",
      marker: {
        symbol: heads.map(({ site }) => SYMBOLS[site.replace(/\.\d+$/, "")] ?? "circle"),
        size: heads.map((dot) => (isSelected(dot) ? 11 : 6)),
        color: heads.map((dot) => cssColour(isSelected(dot) ? "--accent" : "--chart-dot")),
        line: { width: 0 },
      },
    };
  }

  function layout(heads: Dot[]): object {
    const top = roundTop(Math.max(...heads.map(({ y }) => y || 0)));
    const isShare = measure.unit === "share";
    const lastLayer = Math.max(...heads.map(({ layer }) => layer));
    return chartLayout({
      x: { title: say("layer"), range: [-0.6, lastLayer + 0.6], dtick: lastLayer > MOST_TICKS ? 4 : 1 },
      y: { title: isShare ? "" : measure.unit, range: isShare ? [-0.03 * top, 1.03 * top] : null },
    });
  }

  async function load(): Promise<void> {
    if (isLoading) return;
    isLoading = true;
    try {
      const loaded = await loadPlotly(address);
      await loaded.newPlot(plot, [], {}, CHART_CONFIG);
      plotly = loaded;
    } catch {
      words.textContent = say("The chart's library did not load. Reload the page to try again.");
      words.hidden = false;
      return;
    }
    (plot as unknown as PlotlyHost).on("plotly_click", ({ points }) => {
      const dot = dots()[points[0]?.pointNumber ?? -1];
      if (dot) explorer.select(dot);
    });
    draw();
  }

  panel.open = window.localStorage.getItem(OPEN) === "yes";
  panel.addEventListener("toggle", () => {
    window.localStorage.setItem(OPEN, panel.open ? "yes" : "no");
    draw();
  });
  watch([explorer.run, explorer.connection, explorer.selection, theme], draw);
  return { tools, shown: () => ({ measure, dots: dots() }) };
}

interface Dot extends HeadRef {
  layer: number;
  x: number;
  y: number;
}

function dotsOf(site: Site, measure: string): Dot[] {
  return Array.from({ length: site.heads }, (_, head) => ({
    site: site.site,
    head,
    layer: site.layer,
    x: site.layer + (site.heads > 1 ? (head / (site.heads - 1) - 0.5) * SPREAD : 0),
    y: measureOf(site, head, measure) ?? Number.NaN,
  }));
}
