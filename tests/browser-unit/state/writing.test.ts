import { describe, expect, test } from "vitest";
import { endingOf } from "../../../static/src/state/ending";
import { fold, queuedRun, type Run } from "../../../static/src/state/run";
import { runAt, weightsAt, writesText } from "../../../static/src/state/writing";
import { overviewAt } from "../../../static/src/tiles/links";
import type { RunEvent, Step } from "../../../static/src/wire/messages";
import { probabilitiesEvent, siteEvent, startedEvent, tokensEvent } from "../made";
import { promptRowsEvent, stepEvent } from "./written";

const QUEUED = queuedRun({ id: "r1", kind: "generate", model: "quill", text: "a b c", target: null, text_pair: null });
const BEGUN: RunEvent[] = [startedEvent(), tokensEvent(["a", " b", " c"], [[0, 1], [1, 3], [3, 5]])];
const FINISHED: RunEvent = { type: "finished", seq: 99, implementation: "cpu", timings: {} };

function told(...events: RunEvent[]): Run {
  return [...BEGUN, ...events].reduce(fold, QUEUED);
}

const THREE = told(stepEvent(3), promptRowsEvent(), stepEvent(4), stepEvent(5, { finished: "length" }));

describe("a run as it was after some of its tokens", () => {
  test("has the prompt's tokens and those written since, in the model's own words", () => {
    const { decoder } = runAt(THREE, 2).sequences;
    expect(decoder?.texts).toEqual(["a", " b", " c", " t3", " t4"]);
    expect([...(decoder?.arrays.ids.values ?? [])]).toEqual([0, 1, 2, 103, 104]);
    expect(decoder?.origin).toBe("generated");
  });

  test("grows a row with each token that was read: the newest has none yet", () => {
    const sides = [1, 2, 3].map((count) => runAt(THREE, count).sites.get("decoder.self.0"));
    expect(sides.map((site) => [site?.queries, site?.keys])).toEqual([[3, 3], [4, 4], [5, 5]]);
    expect(sides[2]?.arrays.overview.shape).toEqual([2, 5, 5]);
  });

  test("shows the prompt's map above the written rows, to eight bits", () => {
    const site = runAt(THREE, 3).sites.get("decoder.self.0");
    if (!site) throw new Error("no site");
    const rows = [0, 1, 2, 3, 4].map((row) => [0, 1, 2, 3, 4].map((col) => overviewAt(site, 1, row, col)));
    const expected = [
      [1, 0, 0, 0, 0],
      [0, 1, 0, 0, 0],
      // The prompt's last row is told by both; the step's is finer.
      [0.25, 0, 0.5, 0, 0],
      [0.25, 0, 0, 0.5, 0],
      [0.25, 0, 0, 0, 0.5],
    ];
    rows.forEach((row, at) => row.forEach((weight, col) => expect(weight).toBeCloseTo(expected[at]?.[col] ?? 0, 2)));
  });

  test("pools rows of a long text by their largest weights", () => {
    const run = told(stepEvent(3, { cell: 2 }), promptRowsEvent(3, 2), stepEvent(4, { cell: 2 }));
    const site = runAt(run, 2).sites.get("decoder.self.0");
    if (!site) throw new Error("no site");
    expect([site.cell, site.queries, site.arrays.overview.shape]).toEqual([2, 4, [2, 2, 2]]);
    expect(overviewAt(site, 0, 3, 3)).toBeCloseTo(1, 2);
    expect(weightsAt(run.writing as never, { site: "decoder.self.0", head: 0, rows: [3, 4], cols: [0, 4] })).toBeNull();
  });

  test("spreads a prompt that was pooled over all that its cells cover, above rows that were not", () => {
    const run = told(stepEvent(3), promptRowsEvent(3, 2), stepEvent(4));
    const site = runAt(run, 2).sites.get("decoder.self.0");
    if (!site || !run.writing) throw new Error("no site");
    expect([site.cell, site.arrays.overview.shape]).toEqual([1, [2, 4, 4]]);
    const rows = [0, 1].map((row) => [0, 1, 2, 3].map((col) => overviewAt(site, 1, row, col)));
    expect(rows).toEqual([[1, 1, 0, 0], [1, 1, 0, 0]]);
    const part = (row: number) => ({ site: "decoder.self.0", head: 1, rows: [row, row + 1] as const, cols: [0, 4] as const });
    expect(weightsAt(run.writing, part(1))).toBeNull();
    expect(weightsAt(run.writing, part(3))).toHaveLength(4);
  });

  test("is the finished run itself where nothing is left out", () => {
    const final = told(stepEvent(3), promptRowsEvent(), tokensEvent(["a", " b", " c", " t3"]), siteEvent({ side: 4 }), FINISHED);
    expect(runAt(final, 1)).toBe(final);
  });

  test("gone back, has the likely tokens of its own tokens only", () => {
    const next = probabilitiesEvent([[1], [2], [3], [4], [5]], [[1], [1], [1], [1], [1]], {});
    const final = [tokensEvent(["a", " b", " c", " t3", " t4"]), siteEvent({ side: 5 }), next, FINISHED].reduce(
      fold,
      told(stepEvent(3), promptRowsEvent(), stepEvent(4)),
    );
    expect(runAt(final, 1).next?.arrays.ids.shape).toEqual([4, 1]);
    expect(runAt(final, 2).next).toBe(final.next);
  });
});

test("weights of written rows are exact to what travelled, later keys are 0", () => {
  if (!THREE.writing) throw new Error("nothing written");
  const weights = weightsAt(THREE.writing, { site: "decoder.self.0", head: 1, rows: [3, 5], cols: [0, 5] });
  const expected = [0.25, 0, 0, 0.5, 0, 0.25, 0, 0, 0, 0.5];
  weights?.forEach((weight, at) => expect(Math.abs(weight - (expected[at] ?? 0))).toBeLessThan(8e-6));
  expect(weights).toHaveLength(10);
  expect(weightsAt(THREE.writing, { site: "decoder.self.0", head: 1, rows: [5, 6], cols: [0, 5] })).toBeNull();
});

test("an attempt that begins anew forgets what the lost one wrote", () => {
  const again = fold(THREE, startedEvent(2));
  expect([again.writing, again.kind, again.text]).toEqual([null, "generate", "a b c"]);
});

test("models with a decoder that scores a vocabulary can be asked to write", () => {
  const asked = (architecture: string, output: string) => writesText({ architecture, output } as never);
  expect([asked("decoder", "vocabulary"), asked("encoder-decoder", "vocabulary")]).toEqual([true, true]);
  expect([asked("encoder", "vocabulary"), asked("decoder", "hidden"), asked("vision", "classes")]).toEqual([false, false, false]);
});

describe("why a text ended", () => {
  const ended = (finished: Step["finished"], stop_strings: string[] = []) =>
    endingOf(told(stepEvent(3, { finished })), { stop_strings });

  test("is said in words", () => {
    expect(ended("end_token")).toBe("The model ended the text itself.");
    expect(ended("stop_string", ["."])).toBe("The text ended at the stop text.");
    expect(ended("length")).toBe("Tokens written: 1, all that were asked for.");
    expect(ended(null)).toBe("");
  });

  test("a stop text that never came is told", () => {
    expect(ended("length", ["xyzzy"])).toContain("the stop text did not come");
  });
});
