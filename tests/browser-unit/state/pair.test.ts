import { expect, test } from "vitest";
import { keptPair } from "../../../static/src/state/pair";
import { EMPTY_RUN, fold } from "../../../static/src/state/run";
import { readView } from "../../../static/src/state/view";
import { siteEvent } from "../made";

const run = [
  siteEvent({ site: "decoder.self.0", side: 4 }),
  siteEvent({ site: "decoder.cross.0", side: 4 }),
  siteEvent({ site: "encoder.self.0", side: 4 }),
].reduce(fold, EMPTY_RUN);
const kept = (site: string, query: string) => keptPair(run, { site, head: 0 }, readView(query));

test("the address names a pair: the token is the row, the key the column", () => {
  expect(kept("decoder.self.0", "?token=decoder.3&key=1")).toEqual({ row: 3, col: 1 });
  expect(kept("decoder.cross.0", "?token=decoder.0&key=2")).toEqual({ row: 0, col: 2 });
});

test("what is no row and column of the shown map is no pair", () => {
  expect(kept("encoder.self.0", "?token=decoder.3&key=1")).toBeNull();
  expect(kept("decoder.self.0", "?token=decoder.4&key=1")).toBeNull();
  expect(kept("decoder.self.0", "?token=decoder.3&key=4")).toBeNull();
  expect(kept("decoder.self.0", "?token=decoder.3")).toBeNull();
  expect(kept("decoder.self.9", "?token=decoder.3&key=1")).toBeNull();
});
