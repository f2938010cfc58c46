import { expect, test } from "vitest";
import { EMPTY_RUN, fold, queuedRun } from "../../../static/src/state/run";
import { situationOf as situationFor } from "../../../static/src/state/situation";
import type { Connection } from "../../../static/src/wire/socket";
import type { Run } from "../../../static/src/state/run";
import { siteEvent, startedEvent, tokensEvent } from "../made";

const shown = { site: "decoder.self.0", head: 0 };
const situationOf = (run: Run, connection: Connection | null, silent_ms: number) =>
  situationFor(run, connection, silent_ms, shown);
const queued = queuedRun({ id: "r1", kind: "trace", model: null, text: "a", target: null, text_pair: null });
const running = fold(queued, startedEvent());
const live = { state: "live" } as const;

test("every state without a map has words", () => {
  expect(situationOf(EMPTY_RUN, null, 0)?.title).toBe("No text has run yet");
  expect(situationOf(queued, live, 4_000)).toMatchObject({
    title: "Waiting for a worker",
    detail: expect.stringContaining("4 s"),
  });
  expect(situationOf(running, live, 0)?.title).toBe("Loading quill");
  expect(situationOf(fold(running, tokensEvent(["a"])), live, 0)?.title).toBe("Reading the text");
  expect(
    situationOf(fold(running, { type: "failed", seq: 2, code: "x", message: "Too long." }), live, 0),
  ).toMatchObject({ tone: "trouble", detail: "Too long." });
});

test("a map in sight is never covered by a lost connection", () => {
  const lost = { state: "waiting", retry_at_ms: 0, tries: 1 } as const;
  expect(situationOf(fold(running, siteEvent()), lost, 0)).toMatchObject({ covers: false, canReconnect: true });
  expect(situationOf(running, lost, 0)).toMatchObject({ covers: true });
});

const model = {
  id: "quill",
  name: "Quill",
  family: "gpt2",
  architecture: "decoder",
  layers: 12,
  encoder_layers: 0,
  heads: 12,
  width: 768,
  vocabulary: 50_257,
  has_tokenizer: true,
  positions: 64,
  parameters: 124e6,
  size_bytes: 498e6,
  pairs: false,
  output: "vocabulary",
  state: "cold",
  examples: [],
} as const;
const known = (queue: { before: number; workers: number } | null) => ({ model: { ...model, examples: [] }, queue });

test("a run that waits says how many come first, and when nobody works", () => {
  const at = (queue: { before: number; workers: number }) => situationFor(queued, live, 5_000, shown, known(queue));
  expect(at({ before: 2, workers: 1 })).toMatchObject({ title: "Number 3 in the queue", detail: expect.stringContaining("5 s") });
  expect(at({ before: 0, workers: 1 })?.title).toBe("Next in the queue");
  expect(at({ before: 0, workers: 0 })?.title).toBe("No worker is running");
});

test("a model that is being loaded is named with its size, and its worker is not called silent", () => {
  expect(situationFor(running, live, 30_000, shown, known(null))).toMatchObject({
    title: "Loading Quill (498 MB)",
    detail: expect.stringContaining("30 s"),
  });
});

test("while layers arrive it says how far it is", () => {
  const other = { site: "decoder.self.3", head: 0 };
  const some = fold(fold(running, tokensEvent(["a"])), siteEvent());
  expect(situationFor(some, live, 0, other, known(null))?.detail).toBe("Layer 1 of 12.");
});

test("a worker that has not spoken for long is said to be silent", () => {
  expect(situationOf(fold(running, siteEvent()), live, 20_000)?.title).toBe("The worker is silent");
});

test("a finished run needs no words, even without a connection", () => {
  const finished = fold(fold(running, siteEvent()), { type: "finished", seq: 9, implementation: "cpu", timings: {} });
  expect(situationOf(finished, { state: "waiting", retry_at_ms: 0, tries: 3 }, 1e9)).toBeNull();
});

test("a run that does not exist says so", () => {
  expect(situationOf(queued, { state: "refused", reason: "There is no run at this address." }, 0)?.detail).toContain(
    "no run",
  );
});

test("a head whose layer is still to come, or that does not exist, is said to be so", () => {
  const other = { site: "decoder.self.3", head: 0 };
  const some = fold(running, siteEvent());
  expect(situationFor(some, live, 0, other)).toMatchObject({ covers: true, detail: "One layer is here already." });
  const finished = fold(some, { type: "finished", seq: 9, implementation: "cpu", timings: {} });
  expect(situationFor(finished, live, 0, other)?.title).toBe("This run has no such head");
});
