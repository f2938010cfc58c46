/** What a panel says while its own part of the run is not here: what it waits for, or why it will not come. */
import { say } from "../language/say";
import type { Run } from "./run";
import type { Connection } from "../wire/socket";

/** A worker took the run and has not read the text yet: it is loading the model. */
export function isLoading(run: Run): boolean {
  return run.phase === "running" && Object.keys(run.sequences).length === 0 && run.sites.size === 0;
}

/** `whileRunning` tells when the part comes, `never` what it means that a run that ended well has none. */
export function awaited(run: Run, connection: Connection | null, whileRunning: string, never: string): string {
  if (connection?.state === "refused") return say("Not shown: this run cannot be read.");
  switch (run.phase) {
    case "empty":
      return say("Appears when a text has run.");
    case "failed":
      return say("The run failed before this came.");
    case "cancelled":
      return say("The run was stopped before this came.");
    case "finished":
      return never;
  }
  if (connection?.state === "waiting") return say("Comes when the connection is back.");
  if (run.phase === "queued") return say("Comes when a worker has taken the run.");
  return isLoading(run) ? say("Comes when the model is loaded.") : whileRunning;
}
