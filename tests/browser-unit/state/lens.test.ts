/** Which positions the lens shows, and how its answer becomes rows and cells. */
import { describe, expect, test } from "vitest";
import { besides, lensRange, lensRows, standing, WINDOW } from "../../../static/src/state/lens";
import { EMPTY_RUN, fold, type Run } from "../../../static/src/state/run";
import type { LensReading } from "../../../static/src/wire/lens";
import { tokensEvent } from "../made";

function runOf(length: number, change: Partial<Run> = {}): Run {
  return { ...fold({ ...EMPTY_RUN, id: "r1" }, tokensEvent(Array(length).fill("a"))), ...change };
}

const at = (index: number) => ({ sequence: "decoder", index }) as const;

describe("the window", () => {
  test("holds a short text whole", () => {
    expect(lensRange(runOf(5), null, null)).toEqual({ sequence: "decoder", length: 5, positions: [0, 5] });
  });

  test("is at the end of a long text, where the next word is, until a token is pointed at", () => {
    const run = runOf(100);
    const rest = lensRange(run, null, null);
    expect(rest?.positions).toEqual([88, 100]);
    expect(lensRange(run, at(90), rest)).toBe(rest);
    const moved = lensRange(run, at(40), rest);
    expect(moved?.positions).toEqual([32, 48]);
    expect(lensRange(run, null, moved)).toBe(moved);
  });

  test.each([0, 1, 7, 8, 50, 98, 99])("holds the token that is kept, %i", (index) => {
    const [start = 0, stop = 0] = lensRange(runOf(100), at(index), null)?.positions ?? [];
    expect(start <= index && index < stop && start >= 0 && stop <= 100 && stop - start <= WINDOW).toBe(true);
  });

  test("does not follow a token of a sequence that the lens does not read", () => {
    const run = { ...runOf(40), sequences: { ...runOf(40).sequences, encoder: tokensEvent(Array(9).fill("b")) } };
    const rest = lensRange(run, null, null);
    expect(lensRange(run, { sequence: "encoder", index: 3 }, rest)).toBe(rest);
  });

  test("of a share begins as it was shared, and stays within what is kept", () => {
    const shared = { positions: [40, 56], kept: [36, 60] } as const;
    const run = runOf(100);
    const rest = lensRange(run, null, null, shared);
    expect(rest?.positions).toEqual([40, 56]);
    expect(lensRange(run, at(80), rest, shared)).toBe(rest);
    expect(lensRange(run, at(58), rest, shared)?.positions).toEqual([56, 60]);
    const [earlier, later] = rest ? [besides(rest, -1), besides(rest, 1)] : [];
    expect([earlier?.positions, later?.positions]).toEqual([[36, 52], [48, 60]]);
    expect([earlier && besides(earlier, -1), later && besides(later, 1)]).toEqual([null, null]);
  });

  test("is made anew for another text", () => {
    expect(lensRange(runOf(20), null, lensRange(runOf(100), null, null))?.positions).toEqual([8, 20]);
  });

  test("of a picture is its class token, and of nothing none", () => {
    const seen = { ...EMPTY_RUN, picture: "p", sequences: { encoder: { ...tokensEvent(Array(65).fill("")), sequence: "encoder" as const } } };
    expect(lensRange(seen, null, null)?.positions).toEqual([0, 1]);
    expect(lensRange(EMPTY_RUN, null, null)).toBeNull();
  });

  test("is walked by halves from end to end, without a position left out", () => {
    let range = lensRange(runOf(45), at(0), null);
    const seen = new Set<number>();
    for (let steps = 0; range && steps < 20; steps++) {
      for (let position = range.positions[0]; position < range.positions[1]; position++) seen.add(position);
      range = besides(range, 1);
    }
    expect(range).toBeNull();
    expect(seen.size).toBe(45);
    expect(besides({ sequence: "decoder", length: 45, positions: [0, 16] }, -1)).toBeNull();
  });
});

const READING: LensReading = {
  sequence: "decoder",
  positions: [4, 6],
  guesses: "next",
  tuned: false,
  texts: { 1: " a", 2: " b" },
  truth: [2, null],
  layers: [
    { depth: 0, ids: [[1, 2], [1, 2]], probabilities: [[0.5, 0.25], [0.5, 0.5]], truth_probabilities: [0.25, null], truth_ranks: [1, null] },
    { depth: 1, ids: [[2, 1], [1, 2]], probabilities: [[0.75, 0.125], [0.5, 0.5]], truth_probabilities: [0.75, null], truth_ranks: [0, null] },
    { depth: 2, ids: [[1, 3], [1, 2]], probabilities: [[0.75, 0.125], [0.5, 0.5]], truth_probabilities: [0.001, null], truth_ranks: [9, null] },
  ],
};

test("the last layer stands on top, and each cell has its position and its true token", () => {
  const rows = lensRows(READING);
  expect(rows.map(({ depth }) => depth)).toEqual([2, 1, 0]);
  expect(rows[1]?.cells[0]).toEqual({
    position: 4,
    guesses: [
      { id: 2, text: " b", probability: 0.75 },
      { id: 1, text: " a", probability: 0.125 },
    ],
    truth: { id: 2, text: " b", probability: 0.75, rank: 0 },
  });
  expect(rows[0]?.cells[0]?.guesses[1]?.text).toBe("#3");
  expect(rows.map(({ cells }) => cells.map(standing))).toEqual([
    ["behind", "unknown"],
    ["first", "unknown"],
    ["among", "unknown"],
  ]);
});
