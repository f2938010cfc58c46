/** The files that figures are saved as, read back. */
import { inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { digits, toCsv, toNpz } from "../../../static/src/figures/numbers";
import { type Rasterise, toPdf } from "../../../static/src/figures/pdf";
import { encodePng } from "../../../static/src/figures/png_file";
import { toSvg } from "../../../static/src/figures/svg";
import { readNpy } from "../../../static/src/wire/npy";
import { FONTS, smallMap } from "./made";

const refuse: Rasterise = ({ text }) => {
  throw new Error(`${text} should be letters`);
};

function streams(pdf: string): string[] {
  return [...pdf.matchAll(/\/Length (\d+) \/Filter \/FlateDecode >>\nstream\n/g)].map((match) => {
    const start = (match.index ?? 0) + match[0].length;
    return inflateSync(Buffer.from(pdf.slice(start, start + Number(match[1])), "latin1")).toString("latin1");
  });
}

test("SVG holds text as text, whatever a token says", async () => {
  const svg = await toSvg(smallMap(["<script>&\"'", "\u0000\ud800x"]), FONTS);
  expect(svg).toContain("&lt;script&gt;&amp;&quot;'");
  expect(svg).not.toMatch(/<script|\u0000|[\ud800-\udfff]/);
  expect(svg).toContain("@font-face{font-family:\"JetBrains Mono Figure\"");
});

test("every object of a PDF lies where its table says", async () => {
  const pdf = Buffer.from(await toPdf(smallMap(), FONTS, refuse)).toString("latin1");
  const start = Number(/startxref\n(\d+)/.exec(pdf)?.[1]);
  expect(pdf.slice(start, start + 4)).toBe("xref");
  const rows = [...pdf.slice(start).matchAll(/(\d{10}) 00000 n /g)].map((row) => Number(row[1]));
  expect(rows.length).toBeGreaterThan(8);
  rows.forEach((place, index) => expect(pdf.slice(place).startsWith(`${index + 1} 0 obj`)).toBe(true));
});

test("text of a PDF can be searched, its letters are those of the page and travel with it", async () => {
  const pdf = Buffer.from(await toPdf(smallMap(["λ", "·cat"]), FONTS, refuse)).toString("latin1");
  const all = streams(pdf);
  const glyph = FONTS.mono.glyphOf("λ".codePointAt(0) ?? 0).toString(16).padStart(4, "0");
  expect(all.some((stream) => stream.includes(`<${glyph}> Tj`))).toBe(true);
  expect(all.some((stream) => stream.includes(`<${glyph}> <03bb>`))).toBe(true);
  expect(all.some((stream) => Buffer.from(stream, "latin1").equals(Buffer.from(FONTS.mono.bytes)))).toBe(true);
});

test("what the fonts lack is drawn as a picture in its place", async () => {
  const asked: string[] = [];
  const rasterise: Rasterise = ({ text }) => {
    asked.push(text);
    return { bytes: new Uint8Array(8).fill(255), cols: 2, rows: 1, width: 6, height: 3, descent: 1 };
  };
  const pdf = Buffer.from(await toPdf(smallMap(["語", "b"]), FONTS, rasterise)).toString("latin1");
  expect(asked).toEqual(["語", "語"]);
  expect(pdf).toContain("/SMask");
});

test("a PNG holds the bytes as they are", async () => {
  const png = Buffer.from(await encodePng(Uint8Array.of(1, 2, 3, 4, 5, 6), 2, 1));
  const start = png.indexOf("IDAT") + 4;
  expect([...inflateSync(png.subarray(start, start + png.readUInt32BE(start - 8)))]).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("an array in an NPZ is read back with its shape", () => {
  const npz = toNpz({ weights: { values: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] }, tokens: ["a", "🙂"] });
  const start = 30 + "weights.npy".length;
  const length = new DataView(npz.buffer).getUint32(18, true);
  const { values, shape } = readNpy(npz.slice(start, start + length).buffer);
  expect([...values]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(shape).toEqual([2, 3]);
});

test("a table says numbers so that a float32 is read back the same, and quotes what it must", () => {
  const third = Math.fround(1 / 3);
  expect(Math.fround(Number(digits(third)))).toBe(third);
  expect(toCsv([["", 'a "b",', " c"], ["line\nend", 0.5]])).toBe(',"a ""b"","," c"\r\n"line\nend",0.5\r\n');
});
