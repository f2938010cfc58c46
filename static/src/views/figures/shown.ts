/** Which reading of the maps a figure is of: its numbers, its words, and what its script must know. */
import { real, share } from "../../dom/numbers";
import type { MapPart } from "../../figures/script";
import { divergingRampOf, type Ramp, rampOf } from "../../gl/ramp";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { flowRow, outputOf, readingOf, type ReadingText, shownMap, type ShownMap } from "../../state/reading";
import type { HeadRef } from "../../state/sites";

export interface ShownReading {
  text: ReadingText;
  /** Whether it is the weights themselves. */
  areWeights: boolean;
  tell(value: number): string;
  /** Light also on a dark page, on white as papers are. */
  ramp: Ramp;
  /** For the figure's name and its file's. */
  notes: string[];
  file: string;
  /** What a script must be told to make the same. */
  scripted: Pick<MapPart, "influence">;
  mapOf(ref: HeadRef): ShownMap;
}

export function shownReading(explorer: Explorer): ShownReading {
  const view = explorer.view.value;
  const run = explorer.run.value;
  const text = readingOf(view);
  const output = text.name === "gradient" ? outputOf(run, view) : null;
  const areWeights = text.name === "attention";
  const about = output && (output.at === null ? output.name : say("{token} after {at}", { token: output.name, at: output.at }));
  const formula = `${text.formula} (${text.source})`;
  return {
    text,
    areWeights,
    tell: text.isShare ? share : real,
    ramp: text.isSigned ? divergingRampOf("light") : rampOf("light"),
    notes: areWeights ? [] : [about ? `${text.title}, ${say("for {token}", { token: about })}` : text.title, formula],
    file: areWeights ? "" : `-${text.name}${output ? `-${output.token}` : ""}`,
    scripted: areWeights
      ? {}
      : { influence: { name: text.name, position: output?.position ?? null, token: output?.token ?? null } },
    mapOf: (ref) => shownMap(run, view, ref),
  };
}

/** The rows that a figure can have: of a flow the one that is worked out. */
export function rowsShown(explorer: Explorer, site: string, rows: readonly [number, number]): readonly [number, number] {
  if (readingOf(explorer.view.value).name !== "flow") return rows;
  const row = flowRow(explorer.run.value, explorer.view.value, site);
  return [row, row + 1];
}
