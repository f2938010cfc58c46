/** What the page should say when it has no map to show, or when something is wrong: in words, with what to press. */
import { durationOf, sizeOf } from "../language/amounts";
import { say } from "../language/say";
import { isLoading } from "./awaited";
import type { Run } from "./run";
import { type HeadRef, sitesOfModel } from "./sites";
import type { Model } from "../wire/http";
import type { Connection } from "../wire/socket";

export interface Situation {
  tone: "empty" | "waiting" | "trouble";
  title: string;
  detail: string;
  /** Over what is shown already, or instead of it. */
  covers: boolean;
  canReconnect: boolean;
}

/** What is known besides the run itself: the model that it asks for, and the queue while it waits. */
export interface Surroundings {
  model: Model | null;
  queue: { before: number; workers: number; wait_s?: number | null } | null;
}

const SILENT_AFTER_MS = 8_000;
const WAITING_AFTER_MS = 1_500;

export function situationOf(
  run: Run,
  connection: Connection | null,
  silent_ms: number,
  selected: HeadRef | null,
  { model, queue }: Surroundings = { model: null, queue: null },
): Situation | null {
  const site = selected && run.sites.get(selected.site);
  const hasMap = site ? selected.head < site.heads : false;
  if (connection?.state === "refused") return trouble(say("This run cannot be shown"), connection.reason, !hasMap);
  if (run.phase === "failed")
    return trouble(say("The run failed"), run.failure?.message ?? say("The server gave no reason."), !hasMap);
  if (run.phase === "cancelled")
    return trouble(say("The run was stopped"), say("Press Enter in the text to run it again."), !hasMap);
  if (run.phase === "empty")
    return empty(say("No text has run yet"), say("Type one above and press Enter, or choose an example."));
  if (connection?.state === "waiting" && run.phase !== "finished") {
    const seconds = Math.max(0, Math.ceil((connection.retry_at_ms - Date.now()) / 1000));
    const next = seconds ? say("The next try is in {n} s.", { n: seconds }) : say("The next try is now.");
    const detail = `${next} ${say("What has arrived stays.")}`;
    return { ...waiting(say("Connection lost"), detail, !hasMap), canReconnect: true };
  }
  if (run.phase === "queued") return inQueue(silent_ms, queue, !hasMap);
  if (run.phase === "running" && silent_ms > SILENT_AFTER_MS && !isLoading(run)) {
    const detail = say("Nothing came for {n} s. If the worker is gone, another one takes the run over.", {
      n: Math.round(silent_ms / 1000),
    });
    return waiting(say("The worker is silent"), detail, !hasMap);
  }
  if (run.phase === "running" && !hasMap) return onItsWay(run, model, silent_ms);
  if (run.phase === "finished" && !hasMap && selected)
    return empty(say("This run has no such head"), say("Choose one in the grid."));
  return null;
}

/** "Layer 3 of 12", as far as that is known: sites that are here, of all that the model has. */
export function layersHere(run: Run, model: Pick<Model, "architecture" | "layers" | "encoder_layers"> | null): string {
  if (!model && run.sites.size === 1) return say("one layer is here already");
  if (!model) return say("{n} layers are here already", { n: run.sites.size });
  return say("layer {n} of {all}", { n: run.sites.size, all: sitesOfModel(model).length });
}

function inQueue(silent_ms: number, queue: Surroundings["queue"], covers: boolean): Situation {
  const seconds = Math.round(silent_ms / 1000);
  if (queue?.workers === 0) {
    const waited = say("This page has waited {n} s. The run is kept, and starts as soon as there is a worker.", {
      n: seconds,
    });
    const detail = `${waited} ${say("./run starts one, with the site.")}`;
    return waiting(say("No worker is running"), detail, covers);
  }
  if (silent_ms <= WAITING_AFTER_MS)
    return waiting(say("Waiting for a worker"), say("The text is on its way."), covers);
  if (!queue) {
    const detail = say("This page has waited {n} s. The run starts as soon as a worker is free.", { n: seconds });
    return waiting(say("Waiting for a worker"), detail, covers);
  }
  const title = queue.before
    ? say("Number {n} in the queue", { n: queue.before + 1 })
    : say("Next in the queue");
  const waited = say("Waiting {n} s. The run starts as soon as a worker is free.", { n: seconds });
  const still = queue.wait_s ? say("That takes about {time} still.", { time: durationOf(queue.wait_s) }) : "";
  return waiting(title, `${waited} ${still}`.trim(), covers);
}

function onItsWay(run: Run, model: Model | null, silent_ms: number): Situation {
  if (isLoading(run)) {
    const size = model ? ` (${sizeOf(model.size_bytes)})` : "";
    const name = model?.name ?? run.model ?? "";
    const seconds = Math.round(silent_ms / 1000);
    const detail = seconds ? say("Since {n} s. It stays in memory for later runs.", { n: seconds }) : "";
    return waiting(say("Loading {model}", { model: name }) + size, detail, true);
  }
  if (run.sites.size === 0)
    return waiting(run.picture ? say("Reading the picture") : say("Reading the text"), say("The first layer comes in a moment."), true);
  return waiting(say("This head's layer is on its way"), `${capital(layersHere(run, model))}.`, true);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function waiting(title: string, detail: string, covers: boolean): Situation {
  return { tone: "waiting", title, detail, covers, canReconnect: false };
}

function empty(title: string, detail: string): Situation {
  return { tone: "empty", title, detail, covers: true, canReconnect: false };
}

function trouble(title: string, detail: string, covers: boolean): Situation {
  return { tone: "trouble", title, detail, covers, canReconnect: false };
}
