/**
 * A tour of the page in a few steps. Each points at one place and waits until the person has done what it says; what
 * is done is read from the explorer's own state, so a step is done however it was done.
 */
import { say } from "../language/say";
import { isSameHead, type HeadRef } from "./sites";
import type { TokenRef, View } from "./view";

/** What a step looks at to see that it is done. */
export interface Seen {
  selection: HeadRef | null;
  view: View;
  hover: TokenRef | null;
  run: string | null;
}

export interface TourStep {
  /** CSS selectors of what it points at, the first that is in sight. */
  places: readonly string[];
  title: string;
  words: string;
  isDone(before: Seen, now: Seen): boolean;
}

export function tourSteps(): TourStep[] {
  return [
    {
      places: [".panel-heads", ".tab"],
      title: say("Every square is a head"),
      words: say("A row for each layer, a column for each head. Choose another head to see it large."),
      isDone: (before, now) => !isSameHead(before.selection, now.selection),
    },
    {
      places: [".map-body"],
      title: say("One head, exactly"),
      words: say("Row by row: where does each token look? Press a dark square to keep that pair of tokens."),
      isDone: (before, now) => now.view.token !== null && now.view.key !== null && now.view.key !== before.view.key,
    },
    {
      places: [".panel-tokens"],
      title: say("The text itself"),
      words: say("Blue is where the kept token looks, amber is who looks at it. Press another token."),
      isDone: (before, now) => now.view.token !== null && now.view.token.index !== before.view.token?.index,
    },
    {
      places: [".prompt"],
      title: say("Your own words"),
      words: say("Change the text and press Enter. Every head answers, layer by layer."),
      isDone: (before, now) => now.run !== null && now.run !== before.run,
    },
  ];
}
