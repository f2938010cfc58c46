/** The weight that "Inside this head" takes apart, as a figure. */
import { exactShare, real } from "../../dom/numbers";
import type { Figure } from "../../figures/figure";
import { drawProducts } from "../../figures/products";
import { pairScript } from "../../figures/script";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { headNameInWords, type HeadRef } from "../../state/sites";
import type { PairReading } from "../../tiles/pairs";
import { modelName, originOf } from "./origin";

export interface InsideShown extends HeadRef {
  reading: PairReading;
  row: number;
  col: number;
  rowName: string;
  colName: string;
  formula: readonly { name: string; operand: string; result: string }[];
}

export async function insideFigure(explorer: Explorer, shown: InsideShown | null): Promise<Figure | null> {
  if (!shown) return null;
  const { reading, site, head, row, col, rowName, colName, formula } = shown;
  const { products, query, key, weight } = reading;
  const title = `${modelName(explorer)}, ${headNameInWords(site, head)}`;
  const origin = await originOf(explorer, title, `${site}-${head}-weight-${row}-${col}`);
  const names = { row: rowName, col: colName, i: row, j: col, weight: exactShare(weight) };
  const most = products.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
  const line = (values: readonly number[]) => ({ values: Float32Array.from(values), shape: [values.length] });
  return {
    file: origin.file,
    draw: (measure) =>
      drawProducts(
        {
          title,
          notes: [say("{row} ({i}) looks at {col} ({j}) with {weight}", names)],
          products,
          endText: say("{n} dimensions, up to ±{most}", { n: products.length, most: real(most) }),
          lines: formula,
        },
        measure,
      ),
    arrays: {
      query: line(query),
      key: line(key),
      products: line(products),
      weight: { values: Float32Array.of(weight), shape: [] },
    },
    table: [
      ["dimension", "query", "key", "product"],
      ...products.map((product, dimension) => [dimension, query[dimension] ?? 0, key[dimension] ?? 0, product]),
    ],
    script: pairScript(origin, site, head, row, col),
  };
}
