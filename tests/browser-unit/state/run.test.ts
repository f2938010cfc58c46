import { expect, test } from "vitest";
import { borderOf, EMPTY_RUN, fold, measureOf, queuedRun, sequencesOf } from "../../../static/src/state/run";
import { siteEvent, startedEvent, tokensEvent } from "../made";

const queued = queuedRun({ id: "r1", kind: "trace", model: "quill", text: "a b", target: null, text_pair: null });

test("events build up a run until it is finished", () => {
  const events = [
    startedEvent(),
    tokensEvent(["a", " b"]),
    siteEvent(),
    { type: "finished", seq: 4, implementation: "cpu", timings: { trace_s: 0.1 } } as const,
  ];
  const run = events.reduce(fold, queued);
  expect(run.phase).toBe("finished");
  expect(run.sequences.decoder?.texts).toEqual(["a", " b"]);
  expect([...run.sites.keys()]).toEqual(["decoder.self.0"]);
});

test("a second attempt voids what the first one said, but not the text", () => {
  const first = [startedEvent(), tokensEvent(["a"]), siteEvent()].reduce(fold, queued);
  const second = fold(first, startedEvent(2));
  expect(second.sites.size).toBe(0);
  expect(second.sequences).toEqual({});
  expect(second).toMatchObject({ id: "r1", text: "a b", phase: "running" });
});

test("a picture is kept by its id, and as the model reads it, with its classes", () => {
  const asked = queuedRun({ id: "r1", kind: "trace", model: "digits", text: null, target: null, text_pair: null, picture: "3fa9" });
  const [seen, classes] = [{ type: "picture", rows: 8 } as never, { type: "classes", texts: ["7"] } as never];
  const run = [startedEvent(), seen, classes].reduce(fold, asked);
  expect(run).toMatchObject({ picture: "3fa9", seen: { rows: 8 }, classes: { texts: ["7"] } });
  expect(fold(run, startedEvent(2))).toMatchObject({ picture: "3fa9", seen: null, classes: null });
});

test("folding never changes an earlier run", () => {
  const before = fold(queued, startedEvent());
  fold(before, siteEvent());
  expect(before.sites.size).toBe(0);
});

test("a failure keeps its words", () => {
  const run = fold(queued, { type: "failed", seq: 2, code: "text_too_long", message: "This text has 312 tokens." });
  expect(run).toMatchObject({ phase: "failed", failure: { message: "This text has 312 tokens." } });
});

test("a tile says nothing about the run", () => {
  expect(fold(EMPTY_RUN, { type: "tile" } as never)).toBe(EMPTY_RUN);
});

test("cross-attention has the decoder in its rows and the encoder in its columns", () => {
  expect(sequencesOf({ stack: "decoder", kind: "cross" })).toEqual({ rows: "decoder", columns: "encoder" });
  expect(sequencesOf({ stack: "encoder", kind: "self" })).toEqual({ rows: "encoder", columns: "encoder" });
});

test("a measure is read for its head, and absent where it was not computed", () => {
  const site = siteEvent({ heads: 2, measures: { entropy: [0.5, 1.5], induction: [Number.NaN, 0.25] } });
  expect(measureOf(site, 1, "entropy")).toBe(1.5);
  expect(measureOf(site, 0, "induction")).toBeNull();
  expect(measureOf(site, 0, "distance")).toBeNull();
});

test("the second text of a pair begins after the code points of the first", () => {
  const pair = { ...queued, text: "🙂 a", text_pair: "🙂" };
  const texts = ["[CLS]", "🙂", "a", "[SEP]", "🙂", "[SEP]"];
  const tokens = tokensEvent(
    texts,
    [
      [0, 0],
      [0, 1],
      [2, 3],
      [0, 0],
      [3, 4],
      [0, 0],
    ],
    texts.map((text) => text.startsWith("[")),
  );
  const read = fold(pair, { ...tokens, sequence: "encoder" });
  expect(borderOf(read, "encoder")).toBe(4);
  expect(borderOf({ ...read, text_pair: null }, "encoder")).toBeNull();
  expect(borderOf(read, "decoder")).toBeNull();
});
