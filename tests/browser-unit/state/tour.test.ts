import { expect, test } from "vitest";
import { type Seen, tourSteps } from "../../../static/src/state/tour";
import { DEFAULT_VIEW } from "../../../static/src/state/view";

const start: Seen = {
  selection: { site: "decoder.self.1", head: 0 },
  view: DEFAULT_VIEW,
  hover: null,
  run: "one",
};
const [heads, map, tokens, prompt] = tourSteps();

test("the first step waits until another head is chosen", () => {
  expect(heads?.isDone(start, start)).toBe(false);
  expect(heads?.isDone(start, { ...start, selection: { site: "decoder.self.1", head: 3 } })).toBe(true);
});

test("the map's step waits for a pair, not for a token alone", () => {
  const token = { sequence: "decoder", index: 4 } as const;
  expect(map?.isDone(start, { ...start, view: { ...DEFAULT_VIEW, token } })).toBe(false);
  expect(map?.isDone(start, { ...start, view: { ...DEFAULT_VIEW, token, key: 2 } })).toBe(true);
});

test("the tokens' step waits for another token than the one that was kept", () => {
  const kept = (index: number) => ({ ...start, view: { ...DEFAULT_VIEW, token: { sequence: "decoder", index } as const } });
  expect(tokens?.isDone(kept(4), kept(4))).toBe(false);
  expect(tokens?.isDone(kept(4), kept(5))).toBe(true);
  expect(tokens?.isDone(kept(4), start)).toBe(false);
});

test("the last step waits for a run of one's own", () => {
  expect(prompt?.isDone(start, start)).toBe(false);
  expect(prompt?.isDone(start, { ...start, run: "two" })).toBe(true);
});
