/** Why a text that was written ended where it did, in words. */
import { say } from "../language/say";
import type { Choices } from "../wire/http";
import type { Run } from "./run";

export function endingOf(run: Run, choices: Pick<Choices, "stop_strings">): string {
  const last = run.writing?.steps.at(-1);
  if (!last) return "";
  const n = run.writing?.steps.length ?? 0;
  switch (last.finished) {
    case "end_token":
      return say("The model ended the text itself.");
    case "stop_token":
      return say("The text ended with a stop token.");
    case "stop_string":
      return say("The text ended at the stop text.");
    case "positions":
      return say("The text fills all positions of this model.");
    case "length":
      return choices.stop_strings.length
        ? say("Tokens written: {n}, all that were asked for; the stop text did not come.", { n })
        : say("Tokens written: {n}, all that were asked for.", { n });
    case null:
      return run.phase === "cancelled" ? say("Stopped. Tokens written: {n}. Press one to write on from there.", { n }) : "";
  }
}
