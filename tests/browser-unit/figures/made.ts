/** The fonts of figures from the disk, and a small figure, for tests in Node. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Drawing } from "../../../static/src/figures/drawing";
import { measureBy } from "../../../static/src/figures/fonts";
import { drawMatrix } from "../../../static/src/figures/matrix";
import { readTrueType } from "../../../static/src/figures/truetype";
import { rampOf } from "../../../static/src/gl/ramp";

const FOLDER = join(import.meta.dirname, "../../../static/src/figures/fonts");
const readFont = (name: string) => readTrueType(new Uint8Array(readFileSync(join(FOLDER, `${name}.ttf`))));

export const FONTS = { sans: readFont("inter"), mono: readFont("jetbrains-mono") };
export const measure = measureBy(FONTS);

export function smallMap(rows = ["The", "·cat"], title = "A map"): Drawing {
  const figure = {
    title,
    notes: ["induction .80"],
    values: Float32Array.of(1, 0, 0.25, 0.75),
    rows,
    cols: rows,
    isMasked: (row: number, col: number) => col > row,
    ramp: rampOf("light"),
    scale: "linear",
    top: 1,
    legend: "weight",
    format: String,
  } as const;
  return drawMatrix(figure, measure);
}
