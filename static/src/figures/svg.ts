/** A drawing as SVG: text stays text, in the page's letters, which travel within the file. */
import type { Drawing, FontName, Mark, PixelsMark, TextMark } from "./drawing";
import { FAMILIES, type Fonts } from "./fonts";
import { base64, encodePng } from "./png_file";

export async function toSvg({ title, width, height, marks }: Drawing, fonts: Fonts): Promise<string> {
  const used = new Set(marks.flatMap((mark) => (mark.kind === "text" ? [mark.font] : [])));
  const drawn = await Promise.all(marks.map(write));
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}pt" height="${n(height)}pt" viewBox="0 0 ${width} ${n(height)}">`,
    `<title>${escape(title)}</title>`,
    `<style>${[...used].map((name) => fontFace(name, fonts)).join("")}text{white-space:pre}</style>`,
    `<rect width="${width}" height="${n(height)}" fill="#ffffff"/>`,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

async function write(mark: Mark): Promise<string> {
  switch (mark.kind) {
    case "text":
      return writeText(mark);
    case "rect":
      return `<rect x="${n(mark.x)}" y="${n(mark.y)}" width="${n(mark.width)}" height="${n(mark.height)}" fill="${mark.fill}"/>`;
    case "line": {
      const opacity = mark.opacity === undefined ? "" : ` stroke-opacity="${n(mark.opacity)}"`;
      const ends = `x1="${n(mark.x1)}" y1="${n(mark.y1)}" x2="${n(mark.x2)}" y2="${n(mark.y2)}"`;
      return `<line ${ends} stroke="${mark.colour}" stroke-width="${n(mark.width)}"${opacity}/>`;
    }
    case "pixels":
      return writePixels(mark);
  }
}

function writeText({ text, x, y, anchor, font, size, colour, turn_deg }: TextMark): string {
  const turn = turn_deg ? ` transform="rotate(${-turn_deg} ${n(x)} ${n(y)})"` : "";
  const place = `x="${n(x)}" y="${n(y)}" text-anchor="${anchor}"${turn}`;
  return `<text ${place} font-family="${escape(FAMILIES[font])}" font-size="${n(size)}" fill="${colour}">${escape(text)}</text>`;
}

async function writePixels({ x, y, width, height, cols, rows, bytes }: PixelsMark): Promise<string> {
  const file = base64(await encodePng(bytes, cols, rows));
  const place = `x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" preserveAspectRatio="none"`;
  return `<image ${place} style="image-rendering:pixelated" href="data:image/png;base64,${file}"/>`;
}

function fontFace(name: FontName, fonts: Fonts): string {
  const family = FAMILIES[name].split(",")[0] ?? "";
  return `@font-face{font-family:${family};src:url(data:font/ttf;base64,${base64(fonts[name].bytes)})}`;
}

/** What XML forbids even as an entity is left out. */
function escape(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "")
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;");
}

function n(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
