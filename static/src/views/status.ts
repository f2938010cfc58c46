/** One quiet line: the run's state, which kernel ran and where, how long each phase took, the connection. */
import { button, element } from "../dom/element";
import { counted, duration } from "../dom/numbers";
import { oncePerFrame } from "../dom/schedule";
import { say } from "../language/say";
import type { Connection, Explorer } from "../state/explorer";
import type { Run } from "../state/run";

const PHASES: Record<Run["phase"], string> = {
  empty: "no run yet",
  queued: "waiting for a worker",
  running: "running",
  finished: "finished",
  failed: "failed",
  cancelled: "stopped",
};
const CONNECTIONS: Record<Connection["state"], string> = {
  connecting: "connecting",
  live: "live",
  waiting: "reconnecting",
  done: "recorded",
  refused: "no stream",
};
const TIMING_NAMES: Record<string, string> = {
  queued_s: "queued",
  load_s: "loaded in",
  trace_s: "traced in",
  publish_s: "sent in",
};

const WORTH_SAYING_S = 0.0005;

export function mountStatus(host: HTMLElement, explorer: Explorer): void {
  const stop = button(say("Stop"), { class: "quiet status-stop", title: say("End this run; what it found stays") }, () =>
    void explorer.stop(),
  );
  const draw = oncePerFrame(() => {
    const run = explorer.run.value;
    const connection = explorer.connection.value;
    const parts = [connection?.state === "refused" ? "not shown" : stateOf(run), ...factsOf(run), ...timingsOf(run)];
    const stops = run.phase === "queued" || run.phase === "running";
    // The button stays the same one, so that a press cannot fall between two.
    stop.hidden = !stops;
    host.replaceChildren(
      element("span", { class: `dot dot-${run.phase}`, "aria-hidden": "true" }),
      ...parts.map((part) => element("span", { class: "fact" }, part)),
      stop,
      element("span", { class: "spring" }),
      element("span", { class: "fact" }, connection && run.id ? CONNECTIONS[connection.state] : ""),
    );
  });
  explorer.run.subscribe(draw);
  explorer.connection.subscribe(draw);
  draw();
}

function stateOf(run: Run): string {
  const attempt = run.started?.attempt ?? 1;
  const again = attempt > 1 ? `, taken over by another worker (attempt ${attempt})` : "";
  return PHASES[run.phase] + again;
}

function factsOf({ started, finished, sequences, sites }: Run): string[] {
  if (!started) return [];
  const isPair = sequences.encoder !== undefined && sequences.decoder !== undefined;
  const tokens = Object.values(sequences).map(({ sequence, texts }) =>
    isPair ? `${texts.length} ${sequence === "encoder" ? "source" : "target"}` : String(texts.length),
  );
  const heads = [...sites.values()].reduce((sum, site) => sum + site.heads, 0);
  return [
    tokens.length ? `${tokens.join(" + ")} ${isPair || tokens[0] !== "1" ? "tokens" : "token"}` : "",
    heads ? counted(heads, "head") : "",
    kernelOf(finished?.implementation ?? started.implementation, started.device),
    started.dtype,
  ].filter(Boolean);
}

function kernelOf(implementation: string, device: string): string {
  return implementation === device ? `${implementation} kernel` : `${implementation} kernel on ${device}`;
}

function timingsOf({ finished }: Run): string[] {
  return Object.entries(finished?.timings ?? {}).flatMap(([name, seconds]) =>
    TIMING_NAMES[name] && seconds >= WORTH_SAYING_S ? `${TIMING_NAMES[name]} ${duration(seconds)}` : [],
  );
}
