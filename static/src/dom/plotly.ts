/** Plotly comes as a script of its own, some megabytes, and only when a chart is first in sight. */
export interface Plotly {
  newPlot(host: HTMLElement, traces: object[], layout: object, config: object): Promise<unknown>;
  react(host: HTMLElement, traces: object[], layout: object, config: object): Promise<unknown>;
}

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
