/**
 * A drawing as PDF: vectors, and text that can be searched, in the page's letters, which are embedded.
 *
 * A text with a character that these fonts lack is drawn as a picture by `rasterise`, as sharp as print.
 * Source: ISO 32000-1 (PDF 1.7): 7.3 to 7.5 objects and file, 8 graphics, 9.7 composite fonts, 9.10.3 ToUnicode.
 */
import { deflate, joined } from "./deflate";
import type { Drawing, FontName, LineMark, PixelsMark, TextMark } from "./drawing";
import { type Fonts, measureBy } from "./fonts";

export interface TextPicture {
  /** RGBA, row by row. */
  bytes: Uint8Array;
  cols: number;
  rows: number;
  /** In points; the baseline lies `descent` above the lower edge. */
  width: number;
  height: number;
  descent: number;
}

export type Rasterise = (mark: TextMark) => TextPicture;

const NAMES: Record<FontName, { resource: string; post_script: string }> = {
  sans: { resource: "F1", post_script: "HDLGHT+Inter-Regular" },
  mono: { resource: "F2", post_script: "HDLGHU+JetBrainsMono-Regular" },
};

export async function toPdf(drawing: Drawing, fonts: Fonts, rasterise: Rasterise): Promise<Uint8Array<ArrayBuffer>> {
  const file = new PdfFile();
  const pages = file.reserve();
  const page = new Page(file, drawing, fonts, rasterise);
  await page.draw();
  const contents = await file.stream("", encode(page.operators.join("\n")));
  const resources = await page.resources();
  const box = `/MediaBox [0 0 ${n(drawing.width)} ${n(drawing.height)}]`;
  const only = file.add(`<< /Type /Page /Parent ${pages} 0 R ${box} /Resources ${resources} /Contents ${contents} 0 R >>`);
  file.fill(pages, `<< /Type /Pages /Kids [${only} 0 R] /Count 1 >>`);
  const catalog = file.add(`<< /Type /Catalog /Pages ${pages} 0 R >>`);
  const about = file.add(`<< /Title ${textString(drawing.title)} /Producer (Headlight) >>`);
  return file.bytes(catalog, about);
}

class PdfFile {
  readonly #objects: (Uint8Array | null)[] = [];

  reserve(): number {
    return this.#objects.push(null);
  }

  fill(id: number, body: string): void {
    this.#objects[id - 1] = encode(body);
  }

  add(body: string): number {
    return this.#objects.push(encode(body));
  }

  async stream(entries: string, content: Uint8Array): Promise<number> {
    const packed = await deflate(content);
    const head = encode(`<< ${entries} /Length ${packed.length} /Filter /FlateDecode >>\nstream\n`);
    return this.#objects.push(joined([head, packed, encode("\nendstream")]));
  }

  bytes(catalog: number, about: number): Uint8Array<ArrayBuffer> {
    // The second line holds bytes above 127, so that nobody takes the file for text.
    const parts: Uint8Array[] = [Uint8Array.of(...encode("%PDF-1.7\n%"), 0xe2, 0xe3, 0xcf, 0xd3, 10)];
    let place = parts[0]?.length ?? 0;
    const places = this.#objects.map((body, index) => {
      const start = place;
      const whole = joined([encode(`${index + 1} 0 obj\n`), body ?? encode("null"), encode("\nendobj\n")]);
      parts.push(whole);
      place += whole.length;
      return start;
    });
    const rows = places.map((start) => `${String(start).padStart(10, "0")} 00000 n \n`).join("");
    const size = places.length + 1;
    const trailer = `<< /Size ${size} /Root ${catalog} 0 R /Info ${about} 0 R >>`;
    parts.push(
      encode(`xref\n0 ${size}\n0000000000 65535 f \n${rows}trailer\n${trailer}\nstartxref\n${place}\n%%EOF\n`),
    );
    return joined(parts);
  }
}

class Page {
  readonly operators: string[] = [];
  /** Of each font the glyphs that occur, with the character that each stands for. */
  readonly #used: Record<FontName, Map<number, number>> = { sans: new Map(), mono: new Map() };
  readonly #images: number[] = [];
  readonly #opacities: number[] = [];

  constructor(
    private readonly file: PdfFile,
    private readonly drawing: Drawing,
    private readonly fonts: Fonts,
    private readonly rasterise: Rasterise,
  ) {}

  async draw(): Promise<void> {
    for (const mark of this.drawing.marks) {
      if (mark.kind === "text") await this.#text(mark);
      else if (mark.kind === "line") this.#line(mark);
      else if (mark.kind === "pixels") await this.#pixels(mark);
      else {
        const y = this.drawing.height - mark.y - mark.height;
        this.operators.push(`${rgb(mark.fill)} rg ${n(mark.x)} ${n(y)} ${n(mark.width)} ${n(mark.height)} re f`);
      }
    }
  }

  async resources(): Promise<string> {
    const used = (["sans", "mono"] as const).filter((name) => this.#used[name].size > 0);
    const fonts = await Promise.all(used.map(async (name) => `/${NAMES[name].resource} ${await this.#embed(name)} 0 R`));
    const images = this.#images.map((id, index) => `/I${index} ${id} 0 R`);
    const states = this.#opacities.map((opacity, index) => `/G${index} << /CA ${n(opacity)} >>`);
    return `<< /Font << ${fonts.join(" ")} >> /XObject << ${images.join(" ")} >> /ExtGState << ${states.join(" ")} >> >>`;
  }

  async #text(mark: TextMark): Promise<void> {
    const font = this.fonts[mark.font];
    const characters = Array.from(mark.text, (character) => character.codePointAt(0) ?? 0);
    const glyphs = characters.map((codePoint) => font.glyphOf(codePoint));
    if (glyphs.includes(0)) return this.#picture(mark);
    glyphs.forEach((glyph, index) => this.#used[mark.font].set(glyph, characters[index] ?? 0));
    const place = this.#placed(mark, measureBy(this.fonts)(mark.text, mark.font, mark.size));
    const codes = glyphs.map((glyph) => glyph.toString(16).padStart(4, "0")).join("");
    const { resource } = NAMES[mark.font];
    this.operators.push(`BT ${rgb(mark.colour)} rg /${resource} ${n(mark.size)} Tf ${place} Tm <${codes}> Tj ET`);
  }

  /** The matrix that moves to where a text of this width begins, and turns it. */
  #placed({ x, y, anchor, turn_deg = 0 }: TextMark, width: number): string {
    const angle = (turn_deg * Math.PI) / 180;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const back = anchor === "start" ? 0 : anchor === "middle" ? width / 2 : width;
    const [left, bottom] = [x - back * cos, this.drawing.height - y - back * sin];
    return [cos, sin, -sin, cos, left, bottom].map(n).join(" ");
  }

  async #picture(mark: TextMark): Promise<void> {
    const { bytes, cols, rows, width, height, descent } = this.rasterise(mark);
    const colours = new Uint8Array(3 * cols * rows);
    const alpha = new Uint8Array(cols * rows);
    for (let pixel = 0; pixel < cols * rows; pixel++) {
      colours.set(bytes.subarray(4 * pixel, 4 * pixel + 3), 3 * pixel);
      alpha[pixel] = bytes[4 * pixel + 3] ?? 0;
    }
    const mask = await this.file.stream(imageEntries(cols, rows, "DeviceGray"), alpha);
    const image = await this.#image(`${imageEntries(cols, rows, "DeviceRGB")} /SMask ${mask} 0 R`, colours);
    this.operators.push(
      `q ${this.#placed(mark, width)} cm ${n(width)} 0 0 ${n(height)} 0 ${n(-descent)} cm /${image} Do Q`,
    );
  }

  async #pixels({ x, y, width, height, cols, rows, bytes }: PixelsMark): Promise<void> {
    const image = await this.#image(imageEntries(cols, rows, "DeviceRGB"), bytes);
    const bottom = this.drawing.height - y - height;
    this.operators.push(`q ${n(width)} 0 0 ${n(height)} ${n(x)} ${n(bottom)} cm /${image} Do Q`);
  }

  async #image(entries: string, bytes: Uint8Array): Promise<string> {
    return `I${this.#images.push(await this.file.stream(entries, bytes)) - 1}`;
  }

  #line({ x1, y1, x2, y2, colour, width, opacity = 1 }: LineMark): void {
    const rounded = Math.round(opacity * 100) / 100;
    if (!this.#opacities.includes(rounded)) this.#opacities.push(rounded);
    const [from, to] = [this.drawing.height - y1, this.drawing.height - y2];
    const state = `/G${this.#opacities.indexOf(rounded)} gs`;
    this.operators.push(
      `q ${state} ${rgb(colour)} RG ${n(width)} w ${n(x1)} ${n(from)} m ${n(x2)} ${n(to)} l S Q`,
    );
  }

  async #embed(name: FontName): Promise<number> {
    const font = this.fonts[name];
    const glyphs = [...this.#used[name]].sort(([a], [b]) => a - b);
    const em = (units: number) => n((1000 * units) / font.unitsPerEm);
    const { post_script } = NAMES[name];
    const program = await this.file.stream(`/Length1 ${font.bytes.length}`, font.bytes);
    const descriptor = this.file.add(
      `<< /Type /FontDescriptor /FontName /${post_script} /Flags 4 /FontBBox [${font.bounds.map(em).join(" ")}] ` +
        `/ItalicAngle 0 /Ascent ${em(font.ascent)} /Descent ${em(font.descent)} /CapHeight ${em(font.ascent)} ` +
        `/StemV 80 /FontFile2 ${program} 0 R >>`,
    );
    const widths = glyphs.map(([glyph]) => `${glyph} [${em(font.widthOf(glyph))}]`).join(" ");
    const descendant = this.file.add(
      `<< /Type /Font /Subtype /CIDFontType2 /BaseFont /${post_script} /CIDToGIDMap /Identity ` +
        `/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> ` +
        `/FontDescriptor ${descriptor} 0 R /W [${widths}] >>`,
    );
    const unicode = await this.file.stream("", encode(toUnicode(glyphs)));
    return this.file.add(
      `<< /Type /Font /Subtype /Type0 /BaseFont /${post_script} /Encoding /Identity-H ` +
        `/DescendantFonts [${descendant} 0 R] /ToUnicode ${unicode} 0 R >>`,
    );
  }
}

/** Which character each glyph stands for, so that text can be searched and copied. */
function toUnicode(glyphs: readonly [number, number][]): string {
  const rows = glyphs.map(([glyph, codePoint]) => `<${glyph.toString(16).padStart(4, "0")}> <${utf16(codePoint)}>`);
  // A block holds a hundred at most.
  const blocks = Array.from({ length: Math.ceil(rows.length / 100) }, (_, block) => {
    const own = rows.slice(100 * block, 100 * block + 100);
    return `${own.length} beginbfchar\n${own.join("\n")}\nendbfchar`;
  });
  return [
    "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
    "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
    "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
    "1 begincodespacerange <0000> <ffff> endcodespacerange",
    ...blocks,
    "endcmap CMapName currentdict /CMap defineresource pop end end",
  ].join("\n");
}

function imageEntries(cols: number, rows: number, colours: string): string {
  return `/Type /XObject /Subtype /Image /Width ${cols} /Height ${rows} /ColorSpace /${colours} /BitsPerComponent 8`;
}

function textString(text: string): string {
  return `<feff${Array.from(text, (character) => utf16(character.codePointAt(0) ?? 0)).join("")}>`;
}

function utf16(codePoint: number): string {
  const text = String.fromCodePoint(codePoint);
  return Array.from({ length: text.length }, (_, unit) => text.charCodeAt(unit).toString(16).padStart(4, "0")).join("");
}

function rgb(colour: string): string {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255].map((byte) => n(byte / 255)).join(" ");
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function n(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

