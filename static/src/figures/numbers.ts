/**
 * The numbers behind a figure as files: NPZ for programs, CSV for tables.
 * Source: NumPy Enhancement Proposal 1 (npy); PKWARE APPNOTE 6.3.10 (zip, stored); RFC 4180 (CSV).
 */
import { crc32, joined } from "./deflate";

export interface NumberArray {
  values: Float32Array | Int32Array;
  shape: readonly number[];
}

/** A list of texts becomes an array of NumPy's Unicode strings. */
export type Arrays = Record<string, NumberArray | readonly string[]>;

export function toNpz(arrays: Arrays): Uint8Array<ArrayBuffer> {
  return zipStored(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, toNpy(array)]));
}

export function toCsv(rows: readonly (readonly (string | number)[])[]): string {
  return `${rows.map((row) => row.map(csvCell).join(",")).join("\r\n")}\r\n`;
}

/** As many digits as a float32 needs to be read back the same. */
export function digits(value: number): string {
  return Number(value.toPrecision(9)).toString();
}

function toNpy(array: NumberArray | readonly string[]): Uint8Array {
  if ("shape" in array) {
    const { values, shape } = array;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return npyFile(values instanceof Float32Array ? "<f4" : "<i4", shape, bytes);
  }
  const texts = array.map((text) => Array.from(text, (character) => character.codePointAt(0) ?? 0));
  const length = Math.max(1, ...texts.map((text) => text.length));
  const codes = new Uint32Array(length * texts.length);
  texts.forEach((text, index) => codes.set(text, index * length));
  return npyFile(`<U${length}`, [texts.length], new Uint8Array(codes.buffer));
}

function npyFile(type: string, shape: readonly number[], bytes: Uint8Array): Uint8Array {
  const sizes = shape.map((size) => `${size},`).join(" ");
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // Magic, version and length take ten bytes; with the header they end at a multiple of 64.
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const start = Uint8Array.of(0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, padded.length & 255, padded.length >> 8);
  return joined([start, new TextEncoder().encode(padded), bytes]);
}

/** Uncompressed, as numpy.savez writes. */
function zipStored(files: readonly (readonly [string, Uint8Array])[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let place = 0;
  for (const [name, content] of files) {
    const path = new TextEncoder().encode(name);
    const common = new Uint8Array(26);
    const view = new DataView(common.buffer);
    view.setUint16(0, 20, true);
    view.setUint16(8, 0x21, true); // 1 January 1980: equal figures are equal files.
    view.setUint32(10, crc32(content), true);
    view.setUint32(14, content.length, true);
    view.setUint32(18, content.length, true);
    view.setUint16(22, path.length, true);
    parts.push(Uint8Array.of(0x50, 0x4b, 3, 4), common, path, content);
    const rest = new Uint8Array(14);
    new DataView(rest.buffer).setUint32(10, place, true);
    directory.push(Uint8Array.of(0x50, 0x4b, 1, 2, 20, 0), common, rest, path);
    place += 30 + path.length + content.length;
  }
  const listed = joined(directory);
  const end = new Uint8Array(22);
  const view = new DataView(end.buffer);
  end.set([0x50, 0x4b, 5, 6]);
  view.setUint16(8, files.length, true);
  view.setUint16(10, files.length, true);
  view.setUint32(12, listed.length, true);
  view.setUint32(16, place, true);
  return joined([...parts, listed, end]);
}

function csvCell(value: string | number): string {
  const text = typeof value === "number" ? digits(value) : value;
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
