/** A figure and the files that it can be saved as. */
import type { Drawing, Measure } from "./drawing";
import { loadFonts, measureBy } from "./fonts";
import { type Arrays, toCsv, toNpz } from "./numbers";
import { toPdf } from "./pdf";
import { rasteriseText, toPng } from "./png";
import { toSvg } from "./svg";

export type Kind = "svg" | "pdf" | "png" | "csv" | "npz" | "py";

export interface Figure {
  /** The name of its files, without an ending. */
  file: string;
  draw(measure: Measure): Drawing;
  /** Its numbers: by name for programs, and as a table with a head. */
  arrays: Arrays;
  table: readonly (readonly (string | number)[])[];
  /** Python that makes the numbers again from the checkpoint. */
  script: string;
}

export async function write(figure: Figure, kind: Kind): Promise<Blob> {
  if (kind === "csv") return new Blob([toCsv(figure.table)], { type: "text/csv" });
  if (kind === "npz") return new Blob([toNpz(figure.arrays)], { type: "application/zip" });
  if (kind === "py") return new Blob([figure.script], { type: "text/x-python" });
  const fonts = await loadFonts();
  const drawing = figure.draw(measureBy(fonts));
  if (kind === "svg") return new Blob([await toSvg(drawing, fonts)], { type: "image/svg+xml" });
  if (kind === "pdf") return new Blob([await toPdf(drawing, fonts, rasteriseText)], { type: "application/pdf" });
  return toPng(drawing);
}
