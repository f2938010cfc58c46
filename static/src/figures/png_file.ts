/** RGB bytes as a PNG, exactly as they are. Source: PNG specification, third edition. */
import { crc32, deflate, joined } from "./deflate";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const RGB = 2;

export async function encodePng(bytes: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, RGB, 0, 0, 0], 8);
  // Each row begins with the number of its filter, 0: none.
  const rows = new Uint8Array((3 * width + 1) * height);
  for (let row = 0; row < height; row++)
    rows.set(bytes.subarray(3 * width * row, 3 * width * (row + 1)), (3 * width + 1) * row + 1);
  return joined([SIGNATURE, chunk("IHDR", header), chunk("IDAT", await deflate(rows)), chunk("IEND", new Uint8Array())]);
}

function chunk(name: string, content: Uint8Array): Uint8Array {
  const whole = new Uint8Array(12 + content.length);
  const view = new DataView(whole.buffer);
  view.setUint32(0, content.length);
  whole.set(new TextEncoder().encode(name), 4);
  whole.set(content, 8);
  view.setUint32(8 + content.length, crc32(whole.subarray(4, 8 + content.length)));
  return whole;
}

/** Pixels of one channel or of three as a PNG in base64; the one is repeated. */
export async function pngOf(pixels: Uint8Array, width: number, height: number, channels: number): Promise<string> {
  return base64(await encodePng(rgbOf(pixels, channels), width, height));
}

/** Three channels of any number: a grey one is repeated. */
export function rgbOf(pixels: Uint8Array, channels: number): Uint8Array {
  const bytes = new Uint8Array((3 * pixels.length) / channels);
  for (let place = 0; place < bytes.length; place++) {
    const [pixel, colour] = [Math.floor(place / 3), place % 3];
    bytes[place] = pixels[channels * pixel + Math.min(colour, channels - 1)] ?? 0;
  }
  return bytes;
}

export function base64(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000)
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  return btoa(text);
}
