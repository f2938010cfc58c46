/** One measure of every head by layer, as a Plotly chart; a press on a dot shows that head. Loaded when first in sight. */
import { element } from "../dom/element";
import { createMenu } from "../dom/menu";
import { roundTop } from "../dom/numbers";
import { loadPlotly, type Plotly } from "../dom/plotly";
import { cssColour } from "../dom/ink";
import { atMostEvery } from "../dom/schedule";
import type { Explorer } from "../state/explorer";
import { MEASURES, measuresOf, type MeasureText } from "../state/labels";
import { measureOf, type Site } from "../state/run";
import { headName } from "../state/sites";
import { type Store, watch } from "../state/store";
import type { Theme } from "../state/theme";
import type { HeadRef } from "../state/selection";

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
  host: HTMLElement,
  tools: HTMLElement,
  explorer: Explorer,
  theme: Store<Theme>,
  address: string,
): void {
  let measure = MEASURES[0] as MeasureText;
  let chosen: MeasureText | null = null;
  let plotly: Plotly | null = null;
  let isInSight = false;
  let lastDrawn = "";
  const menu = createMenu("Measure", (name) => {
    chosen = MEASURES.find((known) => known.name === name) ?? null;
    draw();
  });
  menu.root.classList.add("menu-right");
  tools.append(menu.root);
  const plot = element("div", { class: "chart" });
  const words = element("p", { class: "aside chart-words" }, "Fills layer by layer when a text runs.");
  const legend = element("p", { class: "aside chart-legend", hidden: true }, "■ encoder  ● decoder  ◆ cross-attention");
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
    plot.classList.toggle("chart-empty", sites.length === 0);
    words.hidden = sites.length > 0;
    legend.hidden = !sites.some(({ stack }) => stack === "encoder");
    if (sites.length === 0) return;
    if (!plotly) return void (isInSight && load());
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
    void plotly.react(plot, [trace(heads)], layout(heads), { displayModeBar: false, responsive: true });
  });

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
    const axis = {
      gridcolor: cssColour("--hairline"),
      linecolor: cssColour("--hairline"),
      zeroline: false,
      tickfont: { size: 12 },
      ticks: "outside",
      ticklen: 4,
      tickcolor: "rgba(0,0,0,0)",
      fixedrange: true,
    };
    const top = roundTop(Math.max(...heads.map(({ y }) => y || 0)));
    const unit = measure.unit === "share" ? "" : measure.unit;
    return {
      autosize: true,
      margin: { l: 44, r: 8, t: 8, b: 34 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: '"Inter Variable", system-ui, sans-serif', size: 12, color: cssColour("--ink-2") },
      hoverlabel: {
        bgcolor: cssColour("--ink"),
        bordercolor: cssColour("--ink"),
        font: { color: cssColour("--paper"), size: 12 },
      },
      xaxis: {
        ...axis,
        title: { text: "layer", standoff: 2, font: { size: 12 } },
        dtick: heads.length > 200 ? 4 : 1,
        range: [-0.6, Math.max(...heads.map(({ layer }) => layer)) + 0.6],
      },
      yaxis: {
        ...axis,
        title: { text: unit, standoff: 4, font: { size: 12 } },
        ...(measure.unit === "share" ? { range: [-0.03 * top, 1.03 * top] } : { rangemode: "tozero" }),
      },
      showlegend: false,
    };
  }

  async function load(): Promise<void> {
    try {
      plotly = await loadPlotly(address);
    } catch {
      words.textContent = "The chart's library did not load. Reload the page to try again.";
      words.hidden = false;
      return;
    }
    draw();
    await plotly.newPlot(plot, [], layout(dots()), { displayModeBar: false, responsive: true });
    (plot as unknown as PlotlyHost).on("plotly_click", ({ points }) => {
      const dot = dots()[points[0]?.pointNumber ?? -1];
      if (dot) explorer.select(dot);
    });
  }

  new IntersectionObserver((entries) => {
    isInSight = entries.some(({ isIntersecting }) => isIntersecting);
    draw();
  }).observe(host);
  watch([explorer.run, explorer.selection, theme], draw);
}

interface PlotlyHost {
  on(name: "plotly_click", listener: (event: { points: { pointNumber: number }[] }) => void): void;
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
