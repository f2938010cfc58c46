/** Patches of a picture and the tokens that stand for them. */
import { expect, test } from "vitest";
import { patchName, patchOf, stepFrom, tokenOf, tokenOfRest } from "../../../static/src/state/patches";

const GRID = { rows: 2, cols: 3, first: 2 };

test("patches lie row by row behind the first tokens", () => {
  expect(patchOf(GRID, 1)).toBeNull();
  expect(patchOf(GRID, 2)).toEqual({ row: 0, col: 0 });
  expect(patchOf(GRID, 7)).toEqual({ row: 1, col: 2 });
  expect(patchOf(GRID, 8)).toBeNull();
  for (let token = 2; token < 8; token++) expect(tokenOf(GRID, patchOf(GRID, token) ?? { row: -1, col: -1 })).toBe(token);
});

test("a picture rests on its class token, where it has one", () => {
  expect(tokenOfRest(GRID)).toBe(0);
  expect(tokenOfRest({ ...GRID, first: 0 })).toBe(-1);
});

test("arrow keys step over the patches, stop at the edge, and begin in the middle", () => {
  expect(stepFrom(GRID, 2, "ArrowDown")).toBe(5);
  expect(stepFrom(GRID, 2, "ArrowLeft")).toBe(2);
  expect(stepFrom(GRID, 0, "ArrowUp")).toBe(tokenOf(GRID, { row: 1, col: 1 }));
  expect(stepFrom(GRID, 2, "x")).toBeNull();
});

test("patches are counted from 1, other tokens go by their name", () => {
  expect(patchName(GRID, 7, "2,3")).toBe("patch 2, 3");
  expect(patchName(GRID, 0, "class")).toBe("class token");
});
