/** A figure as marks on paper, which every kind of file draws in its own way. Units: points, from the top left. */
export type FontName = "sans" | "mono";

export interface TextMark {
  kind: "text";
  text: string;
  /** Where the text begins, is centred or ends, on its baseline. */
  x: number;
  y: number;
  anchor: "start" | "middle" | "end";
  font: FontName;
  size: number;
  colour: string;
  /** Turned to the left around its point: 90 reads upwards. */
  turn_deg?: number;
}

export interface RectMark {
  kind: "rect";
  x: number;
  y: number;
  width: number;
  height: number;
  fill: string;
}

export interface LineMark {
  kind: "line";
  x1: number;
  y1: number;
  x2: number;
  y2: number;
  colour: string;
  width: number;
  opacity?: number;
}

/** A square of colour for each value, never smoothed. */
export interface PixelsMark {
  kind: "pixels";
  x: number;
  y: number;
  width: number;
  height: number;
  cols: number;
  rows: number;
  /** RGB, row by row. */
  bytes: Uint8Array;
}

export type Mark = TextMark | RectMark | LineMark | PixelsMark;

export interface Drawing {
  title: string;
  width: number;
  height: number;
  marks: Mark[];
}

/** How wide a text is, in points. */
export type Measure = (text: string, font: FontName, size: number) => number;

/** One column of most papers, 88 mm. */
export const COLUMN_PT = 250;

/** Ink on white, whatever the page's theme is. */
export const INK = { strong: "#1b1a17", plain: "#524e46", faint: "#6d685e", hairline: "#d8d4ca", bar: "#5a60b8" } as const;

export function hex(rgb: readonly [number, number, number]): string {
  return `#${rgb.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

const TITLE_PT = 8.5;
const NOTE_PT = 6.5;
export const MARGIN_PT = 4;

/** The title and the notes beneath it, and where what follows may begin. */
export function heading(title: string, notes: readonly string[], measure: Measure): { marks: Mark[]; y: number } {
  let y = MARGIN_PT + TITLE_PT;
  const marks = [title, ...notes].map((line, index): Mark => {
    const [size, colour] = index === 0 ? [TITLE_PT, INK.strong] : [NOTE_PT, INK.faint];
    const text = fit(line, COLUMN_PT - 2 * MARGIN_PT, "sans", size, measure);
    const mark = { kind: "text", text, x: MARGIN_PT, y, anchor: "start", font: "sans", size, colour } as const;
    y += size * 1.4;
    return mark;
  });
  return { marks, y };
}

/** Shortened in its middle until it fits. */
export function fit(text: string, room: number, font: FontName, size: number, measure: Measure): string {
  const characters = Array.from(text);
  let kept = text;
  for (let length = characters.length - 1; length > 0 && measure(kept, font, size) > room; length--) {
    const head = Math.ceil(length / 2);
    kept = `${characters.slice(0, head).join("")}…${characters.slice(characters.length - (length - head)).join("")}`;
  }
  return kept;
}
