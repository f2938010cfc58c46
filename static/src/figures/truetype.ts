/**
 * What a figure needs of a TrueType font: the glyph of each character and how wide it is.
 * Source: OpenType specification 1.9, tables cmap (formats 4 and 12), head, hhea, hmtx, maxp and OS/2.
 */
export interface TrueType {
  bytes: Uint8Array;
  /** Of the em square, which every other number counts in. */
  unitsPerEm: number;
  ascent: number;
  descent: number;
  bounds: readonly [number, number, number, number];
  /** 0 where the font lacks the character. */
  glyphOf(codePoint: number): number;
  widthOf(glyph: number): number;
}

export function readTrueType(bytes: Uint8Array): TrueType {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tables = new Map<string, number>();
  for (let index = 0; index < view.getUint16(4); index++) {
    const record = 12 + 16 * index;
    tables.set(String.fromCharCode(...bytes.subarray(record, record + 4)), view.getUint32(record + 8));
  }
  const at = (name: string) => tables.get(name) ?? 0;
  const [head, hhea, hmtx] = [at("head"), at("hhea"), at("hmtx")];
  const measured = view.getUint16(hhea + 34);
  const glyphs = readCmap(view, at("cmap"));
  return {
    bytes,
    unitsPerEm: view.getUint16(head + 18),
    ascent: view.getInt16(hhea + 4),
    descent: view.getInt16(hhea + 6),
    bounds: [36, 38, 40, 42].map((offset) => view.getInt16(head + offset)) as [number, number, number, number],
    glyphOf: (codePoint) => glyphs.get(codePoint) ?? 0,
    widthOf: (glyph) => view.getUint16(hmtx + 4 * Math.min(glyph, measured - 1)),
  };
}

function readCmap(view: DataView, cmap: number): Map<number, number> {
  const glyphs = new Map<number, number>();
  for (let index = 0; index < view.getUint16(cmap + 2); index++) {
    const table = cmap + view.getUint32(cmap + 8 + 8 * index);
    const format = view.getUint16(table);
    if (format === 4) readFormat4(view, table, glyphs);
    if (format === 12) readFormat12(view, table, glyphs);
  }
  return glyphs;
}

function readFormat4(view: DataView, table: number, glyphs: Map<number, number>): void {
  const doubled = view.getUint16(table + 6);
  const [ends, starts] = [table + 14, table + 16 + doubled];
  const [deltas, offsets] = [starts + doubled, starts + 2 * doubled];
  for (let segment = 0; segment < doubled; segment += 2) {
    const offset = view.getUint16(offsets + segment);
    const first = view.getUint16(starts + segment);
    for (let code = first; code <= view.getUint16(ends + segment) && code < 0xffff; code++) {
      const glyph = offset ? view.getUint16(offsets + segment + offset + 2 * (code - first)) : code;
      if (glyph || !offset) glyphs.set(code, (glyph + view.getUint16(deltas + segment)) & 0xffff);
    }
  }
}

function readFormat12(view: DataView, table: number, glyphs: Map<number, number>): void {
  for (let group = 0; group < view.getUint32(table + 12); group++) {
    const [first, last, glyph] = [0, 4, 8].map((offset) => view.getUint32(table + 16 + 12 * group + offset));
    for (let code = first ?? 0; code <= (last ?? -1); code++) glyphs.set(code, (glyph ?? 0) + code - (first ?? 0));
  }
}
