/** What the page should say when it has no map to show, or when something is wrong: in words, with what to press. */
import type { Run } from "./run";
import type { HeadRef } from "./sites";
import type { Connection } from "../wire/socket";

export interface Situation {
  tone: "empty" | "waiting" | "trouble";
  title: string;
  detail: string;
  /** Over what is shown already, or instead of it. */
  covers: boolean;
  canReconnect: boolean;
}

const SILENT_AFTER_MS = 8_000;
const WAITING_AFTER_MS = 1_500;

export function situationOf(
  run: Run,
  connection: Connection | null,
  silent_ms: number,
  selected: HeadRef | null,
): Situation | null {
  const site = selected && run.sites.get(selected.site);
  const hasMap = site ? selected.head < site.heads : false;
  if (connection?.state === "refused") return trouble("This run cannot be shown", connection.reason, !hasMap);
  if (run.phase === "failed")
    return trouble("The run failed", run.failure?.message ?? "The server gave no reason.", !hasMap);
  if (run.phase === "cancelled")
    return trouble("The run was stopped", "Press Enter in the text to run it again.", !hasMap);
  if (run.phase === "empty") {
    return {
      tone: "empty",
      title: "No text has run yet",
      detail: "Type one above and press Enter, or choose an example.",
      covers: true,
      canReconnect: false,
    };
  }
  if (connection?.state === "waiting" && run.phase !== "finished") {
    const seconds = Math.max(0, Math.ceil((connection.retry_at_ms - Date.now()) / 1000));
    const detail = `The next try is ${seconds ? `in ${seconds} s` : "now"}. What has arrived stays.`;
    return { tone: "waiting", title: "Connection lost", detail, covers: !hasMap, canReconnect: true };
  }
  if (run.phase === "queued") {
    const detail =
      silent_ms > WAITING_AFTER_MS
        ? `This page has waited ${Math.round(silent_ms / 1000)} s. The run starts as soon as a worker is free.`
        : "The text is on its way.";
    return { tone: "waiting", title: "Waiting for a worker", detail, covers: !hasMap, canReconnect: false };
  }
  if (run.phase === "running" && silent_ms > SILENT_AFTER_MS) {
    const detail = `Nothing came for ${Math.round(silent_ms / 1000)} s. If the worker is gone, another one takes the run over.`;
    return { tone: "waiting", title: "The worker is silent", detail, covers: !hasMap, canReconnect: false };
  }
  if (run.phase === "running" && !hasMap) {
    const arrived = run.sites.size;
    const title = arrived ? "This head's layer is on its way" : "Reading the text";
    const detail = arrived
      ? `${arrived === 1 ? "One layer is" : `${arrived} layers are`} here already.`
      : "The first layer comes in a moment.";
    return { tone: "waiting", title, detail, covers: true, canReconnect: false };
  }
  if (run.phase === "finished" && !hasMap && selected) {
    return {
      tone: "empty",
      title: "This run has no such head",
      detail: "Choose one in the grid.",
      covers: true,
      canReconnect: false,
    };
  }
  return null;
}

function trouble(title: string, detail: string, covers: boolean): Situation {
  return { tone: "trouble", title, detail, covers, canReconnect: false };
}
