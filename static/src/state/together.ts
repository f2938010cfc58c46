/** Heads that are drawn over one another, each in its colour. */
import { type Run, sequencesOf, type Site } from "./run";
import { type HeadRef, headName } from "./sites";

export interface DrawnHead {
  ref: HeadRef;
  site: Site;
  name: string;
  /** A colour of css/tokens.css. */
  colour: `--${string}`;
}

/**
 * The picked heads that look from and at the same texts as the selected one, in the order of their colours; without
 * any, the selected head alone.
 */
export function headsTogether(run: Run, picked: readonly HeadRef[], selected: HeadRef | null): DrawnHead[] {
  const shown = selected && run.sites.get(selected.site);
  if (!selected || !shown || selected.head >= shown.heads) return [];
  const { rows, columns } = sequencesOf(shown);
  const together = picked.flatMap((ref, place): DrawnHead[] => {
    const site = run.sites.get(ref.site);
    if (!site || ref.head >= site.heads) return [];
    const own = sequencesOf(site);
    if (own.rows !== rows || own.columns !== columns) return [];
    return [{ ref, site, name: headName(ref.site, ref.head), colour: `--pick-${place + 1}` }];
  });
  if (together.length) return together;
  return [{ ref: selected, site: shown, name: headName(selected.site, selected.head), colour: "--accent" }];
}
