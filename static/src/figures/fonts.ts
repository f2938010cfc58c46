/** The page's letters as files that can travel with a figure. Cost: fetched once, 140 KB, when a figure is saved. */
import type { FontName, Measure } from "./drawing";
import interAddress from "./fonts/inter.ttf?url";
import monoAddress from "./fonts/jetbrains-mono.ttf?url";
import { readTrueType, type TrueType } from "./truetype";

export type Fonts = Record<FontName, TrueType>;

/** As CSS and files call them; the page's own come first, then what a reader's machine may have. */
export const FAMILIES: Record<FontName, string> = {
  sans: '"Inter Figure", Inter, "Inter Variable", Helvetica, sans-serif',
  mono: '"JetBrains Mono Figure", "JetBrains Mono", "JetBrains Mono Variable", monospace',
};

/** As the page has loaded them already. */
export const PAGE_FAMILIES: Record<FontName, string> = {
  sans: '"Inter Variable", system-ui, sans-serif',
  mono: '"JetBrains Mono Variable", ui-monospace, monospace',
};

let loading: Promise<Fonts> | null = null;

export function loadFonts(): Promise<Fonts> {
  loading ??= Promise.all([interAddress, monoAddress].map(readFont)).then(
    ([sans, mono]) => ({ sans, mono }) as Fonts,
    (error) => {
      loading = null;
      throw error;
    },
  );
  return loading;
}

/** A character that the fonts lack counts as a wide one: what is drawn in its place will fit. */
export function measureBy(fonts: Fonts): Measure {
  return (text, name, size) => {
    const font = fonts[name];
    let width = 0;
    for (const character of text) {
      const glyph = font.glyphOf(character.codePointAt(0) ?? 0);
      width += glyph ? font.widthOf(glyph) / font.unitsPerEm : 1;
    }
    return width * size;
  };
}

async function readFont(address: string): Promise<TrueType> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`A font for the figure did not come: ${response.status}.`);
  return readTrueType(new Uint8Array(await response.arrayBuffer()));
}
