/**
 * Plotly and how our charts look: our type, our colours, hairlines, no logo. It comes as a script of its own, some
 * megabytes, and only when a chart is asked for.
 */
import { cssColour, FONT_FAMILY } from "./ink";

export interface Plotly {
  newPlot(host: HTMLElement, traces: object[], layout: object, config: object): Promise<unknown>;
  react(host: HTMLElement, traces: object[], layout: object, config: object): Promise<unknown>;
}

/** What Plotly makes of the element that it draws in. */
export interface PlotlyHost {
  on(name: "plotly_click", listener: (event: { points: { pointNumber: number; x?: number }[] }) => void): void;
}

export interface ChartAxis {
  title: string;
  /** null: from zero to the largest value. */
  range: [number, number] | null;
  dtick?: number;
}

export const CHART_CONFIG = { displayModeBar: false, responsive: true };
const TYPE_PX = 12;

let loading: Promise<Plotly> | null = null;

export function loadPlotly(address: string): Promise<Plotly> {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => resolve((window as unknown as { Plotly: Plotly }).Plotly);
    script.onerror = () => reject(new Error("The chart's library did not load."));
    document.head.append(script);
  });
  return loading;
}

/** A layout under the present theme. */
export function chartLayout({ x, y }: { x: ChartAxis; y: ChartAxis }): object {
  return {
    autosize: true,
    margin: { l: 44, r: 8, t: 8, b: 34 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: FONT_FAMILY, size: TYPE_PX, color: cssColour("--ink-2") },
    hoverlabel: {
      bgcolor: cssColour("--ink"),
      bordercolor: cssColour("--ink"),
      font: { family: FONT_FAMILY, color: cssColour("--paper"), size: TYPE_PX },
    },
    xaxis: axisLayout(x, 2),
    yaxis: axisLayout(y, 4),
    showlegend: false,
  };
}

function axisLayout({ title, range, dtick }: ChartAxis, standoff: number): object {
  return {
    title: { text: title, standoff, font: { size: TYPE_PX } },
    gridcolor: cssColour("--hairline"),
    linecolor: cssColour("--hairline"),
    zeroline: false,
    fixedrange: true,
    tickfont: { size: TYPE_PX },
    ticks: "outside",
    ticklen: 4,
    tickcolor: "rgba(0,0,0,0)",
    ...(range ? { range } : { rangemode: "tozero" }),
    ...(dtick ? { dtick } : {}),
  };
}
