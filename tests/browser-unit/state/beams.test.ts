import { expect, test } from "vitest";
import { beamTree } from "../../../static/src/state/beams";
import { beamsEvent } from "./written";

test("tokens that only one text goes through stand together, and the best path is marked", () => {
  const grown = [
    beamsEvent(0, [
      { text: "the", parent: -1, total: -1 },
      { text: "a", parent: -1, total: -2 },
    ]),
    beamsEvent(2, [
      { text: " cat", parent: 0, total: -2 },
      { text: " dog", parent: 0, total: -3 },
    ]),
    beamsEvent(4, [
      { text: " sat", parent: 3, total: -4 },
      { text: " ran", parent: 2, total: -5 },
    ]),
    beamsEvent(6, [], [4, 5]),
  ];
  expect(beamTree(grown)).toEqual([
    {
      text: "the",
      total: -1,
      rank: null,
      isBest: true,
      children: [
        { text: " cat ran", total: -5, rank: 1, isBest: false, children: [] },
        { text: " dog sat", total: -4, rank: 0, isBest: true, children: [] },
      ],
    },
    { text: "a", total: -2, rank: null, isBest: false, children: [] },
  ]);
});

test("a search that still grows has no best text yet", () => {
  const [only] = beamTree([beamsEvent(0, [{ text: "the", parent: -1, total: -1 }])]);
  expect(only).toMatchObject({ rank: null, isBest: false });
});
