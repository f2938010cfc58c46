import { expect, test } from "vitest";
import { awaited } from "../../../static/src/state/awaited";
import { EMPTY_RUN, fold, queuedRun, type Run } from "../../../static/src/state/run";
import type { Connection } from "../../../static/src/wire/socket";
import { startedEvent, tokensEvent } from "../made";

const queued = queuedRun({ id: "r1", kind: "trace", model: "quill", text: "a", target: null, text_pair: null });
const started = fold(queued, startedEvent());
const read = fold(started, tokensEvent(["a"]));
const words = (run: Run, connection: Connection | null = { state: "live" }) =>
  awaited(run, connection, "Comes with its layer.", "There is none.");

test("a panel says what it waits for, at each step of a run", () => {
  expect(words(EMPTY_RUN, null)).toBe("Appears when a text has run.");
  expect(words(queued)).toBe("Comes when a worker has taken the run.");
  expect(words(started)).toBe("Comes when the model is loaded.");
  expect(words(read)).toBe("Comes with its layer.");
});

test("a panel does not wait for what will not come", () => {
  expect(words(fold(read, { type: "finished", seq: 9, implementation: "cpu", timings: {} }))).toBe("There is none.");
  expect(words(fold(read, { type: "failed", seq: 9, code: "c", message: "m" }))).toContain("failed before");
  expect(words(fold(queued, { type: "cancelled", seq: 9 }))).toContain("stopped before");
  expect(words(queued, { state: "refused", reason: "There is no run at this address." })).toContain("cannot be read");
});

test("without a connection a panel waits for that first", () => {
  const lost: Connection = { state: "waiting", retry_at_ms: 0, tries: 1 };
  expect([words(queued, lost), words(read, lost)]).toEqual(Array(2).fill("Comes when the connection is back."));
});
