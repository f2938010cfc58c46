/**
 * The products by dimension, one bar each in the order of the dimensions: positive to the right, negative to the left.
 * Pointing or arrow keys tell one; a table that is not seen holds them all.
 */
import { element, svg } from "../../dom/element";
import { real } from "../../dom/numbers";
import { announce, hideTooltip, showTooltip } from "../../dom/tooltip";
import { say } from "../../language/say";
import type { PairReading } from "../../tiles/pairs";

/** In units of the drawing, which is as wide as its panel. */
const HALF_WIDTH = 100;
const HEIGHTS_PX: [longest: number, bar: number][] = [
  [16, 9],
  [32, 6],
  [64, 3],
  [128, 2],
  [Infinity, 1],
];

export interface Bars {
  root: HTMLElement;
  show(pair: PairReading): void;
}

export function createBars(): Bars {
  const picture = svg("svg", { class: "inside-picture", preserveAspectRatio: "none", "aria-hidden": "true" });
  const ends = element("div", { class: "inside-ends aside", "aria-hidden": "true" });
  const strip = element(
    "div",
    {
      class: "inside-strip",
      tabindex: 0,
      role: "group",
      "aria-label": say("Products by dimension: up and down arrows tell one after another"),
    },
    picture,
  );
  const table = element("div", { class: "visually-hidden" });
  const root = element("div", { class: "inside-bars" }, strip, ends, table);
  let shown: PairReading | null = null;
  let told: number | null = null;

  function show(pair: PairReading): void {
    if (pair === shown) return;
    shown = pair;
    tell(null);
    const { products } = pair;
    const bar_px = HEIGHTS_PX.find(([longest]) => products.length <= longest)?.[1] ?? 1;
    const most = products.reduce((top, value) => Math.max(top, Math.abs(value)), 0) || 1;
    const height = products.length * bar_px;
    picture.setAttribute("viewBox", `${-HALF_WIDTH} 0 ${2 * HALF_WIDTH} ${height}`);
    picture.style.height = `${height}px`;
    picture.replaceChildren(
      ...products.map((value, dimension) => {
        const length = (Math.abs(value) / most) * HALF_WIDTH;
        return svg("rect", {
          class: value < 0 ? "inside-negative" : "inside-positive",
          x: value < 0 ? -length : 0,
          y: dimension * bar_px,
          width: length,
          height: bar_px > 2 ? bar_px - 1 : bar_px,
        });
      }),
      svg("line", { class: "inside-zero", x1: 0, x2: 0, y1: 0, y2: height, "vector-effect": "non-scaling-stroke" }),
    );
    ends.replaceChildren(
      element("span", {}, real(-most)),
      element("span", {}, say("{n} dimensions, the first on top", { n: products.length })),
      element("span", {}, real(most)),
    );
    table.replaceChildren(tableOf(pair));
  }

  /** Marks a dimension; gives its words, the product first. */
  function tell(dimension: number | null): string[] {
    told = dimension;
    picture.querySelectorAll(".inside-told").forEach((bar) => bar.classList.remove("inside-told"));
    if (dimension === null || !shown) return [];
    picture.children[dimension]?.classList.add("inside-told");
    const values = {
      q: real(shown.query[dimension] ?? 0),
      k: real(shown.key[dimension] ?? 0),
      dimension,
    };
    return [
      real(shown.products[dimension] ?? 0),
      shown.rule === "additive" ? say("v · tanh({q} + {k})", values) : say("q {q} × k {k}", values),
      say("dimension {dimension}", values),
    ];
  }

  strip.addEventListener("pointermove", (event) => {
    const { top, height } = picture.getBoundingClientRect();
    const count = shown?.products.length ?? 0;
    if (!count || height === 0) return;
    const dimension = Math.floor(((event.clientY - top) / height) * count);
    const lines = tell(Math.min(count - 1, Math.max(0, dimension)));
    showTooltip(event.clientX, event.clientY, ...lines);
  });
  const forget = () => {
    tell(null);
    hideTooltip();
  };
  strip.addEventListener("pointerleave", forget);
  strip.addEventListener("blur", forget);
  strip.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const count = shown?.products.length ?? 0;
    if (!step || !count) return;
    event.preventDefault();
    const next = told === null ? 0 : Math.min(count - 1, Math.max(0, told + step));
    const lines = tell(next);
    const { right, top, height } = strip.getBoundingClientRect();
    showTooltip(right, top + ((next + 0.5) / count) * height, ...lines);
    announce([...lines].reverse().join(", "));
  });
  return { root, show };
}

function tableOf({ products, query, key, rule }: PairReading): HTMLTableElement {
  const heads = [say("dimension"), "q", "k", rule === "additive" ? "v · tanh(q + k)" : say("product")];
  return element(
    "table",
    {},
    element("caption", {}, say("Products by dimension")),
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element(
      "tbody",
      {},
      ...products.map((product, dimension) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, String(dimension)),
          ...[query[dimension] ?? 0, key[dimension] ?? 0, product].map((value) => element("td", {}, real(value))),
        ),
      ),
    ),
  );
}
