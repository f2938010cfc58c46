/** One quiet line: the run's state, which kernel ran and where, how long each phase took, the connection. */
import { button, element, setText } from "../dom/element";
import { counted, duration } from "../dom/numbers";
import { oncePerFrame } from "../dom/schedule";
import { say } from "../language/say";
import type { Connection, Explorer } from "../state/explorer";
import { isUnderWay, type Run } from "../state/run";

const PHASES: Record<Run["phase"], string> = {
  empty: say("no run yet"),
  queued: say("waiting for a worker"),
  running: say("running"),
  finished: say("finished"),
  failed: say("failed"),
  cancelled: say("stopped"),
};
const CONNECTIONS: Record<Connection["state"], string> = {
  connecting: say("connecting"),
  live: say("live"),
  waiting: say("reconnecting"),
  done: say("recorded"),
  refused: say("no stream"),
};
const TIMING_NAMES: Record<string, string> = {
  queued_s: say("queued"),
  load_s: say("loaded in"),
  write_s: say("written in"),
  trace_s: say("traced in"),
  publish_s: say("sent in"),
};

const WORTH_SAYING_S = 0.0005;

export function mountStatus(host: HTMLElement, explorer: Explorer): void {
  const stop = button(say("Stop"), { class: "quiet status-stop", title: say("End this run; what it found stays") }, () =>
    void explorer.stop(),
  );
  const dot = element("span", { "aria-hidden": "true" });
  const facts = element("span", { class: "facts" });
  const stream = element("span", { class: "fact" });
  // The button is never moved: a press that falls between two frames of a stream would be lost.
  host.append(dot, facts, stop, element("span", { class: "spring" }), stream);
  const draw = oncePerFrame(() => {
    const run = explorer.run.value;
    const connection = explorer.connection.value;
    const parts = [connection?.state === "refused" ? say("not shown") : stateOf(run), ...factsOf(run), ...timingsOf(run)];
    const stops = run.phase === "queued" || run.phase === "running";
    stop.hidden = !stops;
    dot.className = `dot dot-${run.phase}`;
    facts.replaceChildren(...parts.map((part) => element("span", { class: "fact" }, part)));
    // The socket of a share stays open, to tell when it is withdrawn; there is nothing to come.
    const state = connection?.state === "live" && !isUnderWay(run) ? "done" : connection?.state;
    setText(stream, state && run.id ? CONNECTIONS[state] : "");
  });
  explorer.run.subscribe(draw);
  explorer.connection.subscribe(draw);
  draw();
}

function stateOf(run: Run): string {
  const attempt = run.started?.attempt ?? 1;
  const again = attempt > 1 ? say(", taken over by another worker (attempt {n})", { n: attempt }) : "";
  return PHASES[run.phase] + again;
}

function factsOf({ started, finished, sequences, sites }: Run): string[] {
  if (!started) return [];
  const isPair = sequences.encoder !== undefined && sequences.decoder !== undefined;
  const tokens = Object.values(sequences).map(({ sequence, texts }) =>
    isPair ? `${texts.length} ${sequence === "encoder" ? say("source") : say("target")}` : String(texts.length),
  );
  const heads = [...sites.values()].reduce((sum, site) => sum + site.heads, 0);
  return [
    tokens.length ? `${tokens.join(" + ")} ${isPair || tokens[0] !== "1" ? say("tokens") : say("token")}` : "",
    heads ? counted(heads, say("head"), say("heads")) : "",
    kernelOf(finished?.implementation ?? started.implementation, started.device),
    started.dtype,
  ].filter(Boolean);
}

function kernelOf(implementation: string, device: string): string {
  return implementation === device
    ? say("{name} kernel", { name: implementation })
    : say("{name} kernel on {device}", { name: implementation, device });
}

function timingsOf({ finished }: Run): string[] {
  return Object.entries(finished?.timings ?? {}).flatMap(([name, seconds]) =>
    TIMING_NAMES[name] && seconds >= WORTH_SAYING_S ? `${TIMING_NAMES[name]} ${duration(seconds)}` : [],
  );
}
