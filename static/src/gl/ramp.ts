/**
 * The sequential ramp for weights, monotone in lightness: paper to deep indigo on light, black over ember to pale
 * yellow on dark. The diverging ramp for differences: blue for less, what is behind the maps for equal, orange for
 * more, which people tell apart who see no red or no green. Mixed in OKLab, so that equal steps of weight look like equal steps.
 * Source: OKLab, Björn Ottosson 2020, "A perceptual color space for image processing".
 */
export type Rgb = readonly [number, number, number];

export interface Ramp {
  /** 256 colours, RGBA bytes. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Where the mask lets a query see nothing. */
  masked: Rgb;
  /** What is behind the maps. */
  paper: Rgb;
}

const STOPS = {
  light: ["#fbfaf7", "#dcdcf2", "#a9aee2", "#6f78cb", "#4146a8", "#231f73", "#120a3f"],
  dark: ["#0a0908", "#2e1410", "#5e2113", "#98380f", "#cf6314", "#f0a43c", "#fbe6a2"],
};
const DIVERGING = {
  light: ["#0b2f6e", "#2166b5", "#6fa8dc", "#c3dbef", "#fbfaf7", "#f7d3ab", "#e89a4c", "#b8600f", "#6e3303"],
  dark: ["#cfe6ff", "#7db8f5", "#3a7fcb", "#1c4473", "#0a0908", "#6b3a0c", "#b9680f", "#f0a043", "#ffe3bd"],
};
const MASKED = { light: "#efece5", dark: "#1d1b19" };
const PAPER = { light: "#fbfaf7", dark: "#141311" };

/** On a diverging ramp the step of 0; as many steps lie below it as above, and the last of the 256 is not used. */
export const ZERO_STEP = 127;

export function rampOf(theme: "light" | "dark"): Ramp {
  return { bytes: mixed(STOPS[theme], 255), masked: parseHex(MASKED[theme]), paper: parseHex(PAPER[theme]) };
}

export function divergingRampOf(theme: "light" | "dark"): Ramp {
  const bytes = mixed(DIVERGING[theme], 2 * ZERO_STEP);
  return { bytes, masked: parseHex(MASKED[theme]), paper: parseHex(PAPER[theme]) };
}

function mixed(hexes: readonly string[], last: number): Uint8Array<ArrayBuffer> {
  const stops = hexes.map((hex) => toOklab(parseHex(hex)));
  const bytes = new Uint8Array(256 * 4);
  for (let step = 0; step < 256; step++) {
    const place = (Math.min(step, last) / last) * (stops.length - 1);
    const lower = Math.min(stops.length - 2, Math.floor(place));
    const colour = fromOklab(mix(stops[lower] as Rgb, stops[lower + 1] as Rgb, place - lower));
    bytes.set([...colour, 255], step * 4);
  }
  return bytes;
}

/** Relative luminance of a ramp step. Source: WCAG 2.2, "relative luminance". */
export function luminance([red, green, blue]: Rgb): number {
  return 0.2126 * toLinear(red) + 0.7152 * toLinear(green) + 0.0722 * toLinear(blue);
}

export function rampColour(ramp: Ramp, share: number): Rgb {
  const step = Math.round(Math.min(1, Math.max(0, share)) * 255) * 4;
  return [ramp.bytes[step] ?? 0, ramp.bytes[step + 1] ?? 0, ramp.bytes[step + 2] ?? 0];
}

export function parseHex(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function mix(a: Rgb, b: Rgb, share: number): Rgb {
  return [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share];
}

function toLinear(byte: number): number {
  const value = byte / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function toByte(linear: number): number {
  const value = linear <= 0.0031308 ? linear * 12.92 : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(Math.min(1, Math.max(0, value)) * 255);
}

function toOklab([red, green, blue]: Rgb): Rgb {
  const [r, g, b] = [toLinear(red), toLinear(green), toLinear(blue)];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([lightness, a, b]: Rgb): Rgb {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    toByte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    toByte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    toByte(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}
