/** One measure of every head by layer, as a Plotly chart; a press on a dot shows that head. Loaded when first in sight. */
import { element } from "../dom/element";
import { createMenu } from "../dom/menu";
import { loadPlotly, type Plotly } from "../dom/plotly";
import { cssColour } from "../dom/ink";
import { oncePerFrame } from "../dom/schedule";
import type { Explorer } from "../state/explorer";
import { MEASURES, measuresOf, type MeasureText } from "../state/labels";
import { measureOf, type Site } from "../state/run";
import { headName } from "../state/sites";
import { type Store, watch } from "../state/store";
import type { Theme } from "../state/theme";
import type { HeadRef } from "../state/selection";

/** Heads of one layer stand side by side within this part of the layer's width. */
const SPREAD = 0.7;
const SYMBOLS: Record<string, string> = { "encoder.self": "square", "decoder.self": "circle", "decoder.cross": "diamond" };

export function mountChart(host: HTMLElement, tools: HTMLElement, explorer: Explorer, theme: Store<Theme>, address: string): void {
  let measure = MEASURES[0] as MeasureText;
  let plotly: Plotly | null = null;
  const menu = createMenu("Measure", (name) => {
    measure = MEASURES.find((known) => known.name === name) ?? measure;
    draw();
  });
  menu.root.classList.add("menu-right");
  tools.append(menu.root);
  const plot = element("div", { class: "chart" });
  const problem = element("p", { class: "aside", hidden: true }, "The chart's library did not load. Reload the page to try again.");
  host.append(plot, problem);

  const draw = oncePerFrame(() => {
    const sites = [...explorer.run.value.sites.values()];
    const offered = MEASURES.filter((known) => sites.some((site) => measuresOf(site).includes(known)));
    if (offered.length && !offered.includes(measure)) measure = offered[0] as MeasureText;
    menu.setChoices(offered.map(({ name, title, meaning }) => ({ value: name, label: title, detail: meaning })), measure.name);
    menu.setLabel(measure.title);
    menu.setDisabled(offered.length === 0);
    if (!plotly || sites.length === 0) return;
    const heads = sites.filter((site) => measuresOf(site).includes(measure)).flatMap((site) => dotsOf(site, measure.name));
    void plotly.react(plot, [trace(heads)], layout(heads), { displayModeBar: false, responsive: true });
  });

  function trace(heads: Dot[]): object {
    const { selected } = explorer;
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
    const axis = { gridcolor: cssColour("--hairline"), linecolor: cssColour("--hairline"), zeroline: false, tickfont: { size: 12 }, ticks: "outside", ticklen: 4, tickcolor: "rgba(0,0,0,0)", fixedrange: true };
    const unit = measure.unit === "share" ? "" : ` (${measure.unit})`;
    return {
      autosize: true,
      margin: { l: 44, r: 8, t: 8, b: 34 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: '"Inter Variable", system-ui, sans-serif', size: 12, color: cssColour("--ink-2") },
      hoverlabel: { bgcolor: cssColour("--ink"), bordercolor: cssColour("--ink"), font: { color: cssColour("--paper"), size: 12 } },
      xaxis: { ...axis, title: { text: "layer", standoff: 2, font: { size: 12 } }, dtick: heads.length > 200 ? 4 : 1, range: [-0.6, Math.max(...heads.map(({ layer }) => layer)) + 0.6] },
      yaxis: { ...axis, title: { text: `${measure.title}${unit}`, standoff: 4, font: { size: 12 } }, ...(measure.unit === "share" ? { range: [-0.03, 1.03] } : { rangemode: "tozero" }) },
      showlegend: false,
    };
  }

  async function load(): Promise<void> {
    try {
      plotly = await loadPlotly(address);
    } catch {
      problem.hidden = false;
      return;
    }
    await plotly.newPlot(plot, [], layout([]), { displayModeBar: false, responsive: true });
    (plot as unknown as { on(name: string, listener: (event: { points: { pointNumber: number }[] }) => void): void }).on("plotly_click", ({ points }) => {
      const heads = [...explorer.run.value.sites.values()].flatMap((site) => dotsOf(site, measure.name));
      const dot = heads[points[0]?.pointNumber ?? -1];
      if (dot) explorer.select(dot);
    });
    draw();
  }

  const sight = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    sight.disconnect();
    void load();
  });
  sight.observe(plot);
  watch([explorer.run, explorer.view, explorer.models, theme], draw);
  draw();
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
