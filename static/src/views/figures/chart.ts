/** The measure that the chart shows, of every head, as a figure. */
import { roundTop } from "../../dom/numbers";
import { drawDots, type DotShape } from "../../figures/dots";
import type { Figure } from "../../figures/figure";
import { everyHeadScript } from "../../figures/script";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import type { MeasureText } from "../../state/labels";
import { headName, type HeadRef, isSameHead } from "../../state/sites";
import { modelName, originOf } from "./origin";

export interface ChartShown {
  measure: MeasureText;
  dots: readonly (HeadRef & { layer: number; x: number; y: number })[];
}

const SHAPES: Record<string, DotShape> = { "encoder.self": "flat", "decoder.cross": "upright" };

export async function chartFigure(explorer: Explorer, { measure, dots }: ChartShown): Promise<Figure | null> {
  if (dots.length === 0) return null;
  const selected = explorer.selection.value;
  const title = say("{model}: {measure} of every head", { model: modelName(explorer), measure: measure.title });
  const origin = await originOf(explorer, title, `every-head-${measure.name}`);
  const top = roundTop(Math.max(...dots.map(({ y }) => y || 0)));
  const marked = dots.find((dot) => isSameHead(dot, selected));
  const shapes = new Set(dots.map(shapeOf));
  const notes = [
    ...(marked ? [say("large: {head}", { head: headName(marked.site, marked.head) })] : []),
    ...(shapes.size > 1 ? [say("flat: encoder, square: decoder, upright: cross-attention")] : []),
  ];
  const sites = [...new Set(dots.map(({ site }) => site))];
  return {
    file: origin.file,
    draw: (letters) =>
      drawDots(
        {
          title,
          notes,
          dots: dots.map((dot) => ({ ...dot, shape: shapeOf(dot), isMarked: dot === marked })),
          xTitle: say("layer"),
          topText: `${top}${measure.unit === "share" ? "" : ` ${measure.unit}`}`,
          top,
          layers: Math.max(...dots.map(({ layer }) => layer)) + 1,
        },
        letters,
      ),
    arrays: Object.fromEntries(
      sites.map((site) => {
        const values = Float32Array.from(dots.filter((dot) => dot.site === site), ({ y }) => y);
        return [site, { values, shape: [values.length] }];
      }),
    ),
    table: [["site", "head", measure.name], ...dots.map(({ site, head, y }) => [site, head, y])],
    script: everyHeadScript(origin, measure.name),
  };
}

function shapeOf({ site }: HeadRef): DotShape {
  return SHAPES[site.replace(/\.\d+$/, "")] ?? "square";
}
