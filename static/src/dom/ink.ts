/** Colours and type of css/tokens.css, for what is drawn on a canvas. */
export const FONT_FAMILY = '"Inter Variable", system-ui, sans-serif';
const MONO = '"JetBrains Mono Variable", ui-monospace, monospace';

export const FONT = {
  small: `12px ${FONT_FAMILY}`,
  strong: `600 12px ${FONT_FAMILY}`,
  token: `12px ${MONO}`,
} as const;

let colours = new Map<string, string>();

/** The value of a colour token under the present theme. */
export function cssColour(name: `--${string}`): string {
  const known = colours.get(name);
  if (known) return known;
  const colour = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  colours.set(name, colour);
  return colour;
}

/** The colour of the n-th head that was picked by hand, counted from 0. */
export function pickColour(place: number): string {
  return cssColour(`--pick-${place + 1}`);
}

/** To be called when the theme changed. */
export function forgetColours(): void {
  colours = new Map();
}
