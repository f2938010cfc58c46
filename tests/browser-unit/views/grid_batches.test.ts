import { expect, test } from "vitest";
import { EMPTY_RUN, fold, type Run } from "../../../static/src/state/run";
import { groupSites } from "../../../static/src/state/sites";
import { openGridBatches } from "../../../static/src/views/grid/batches";
import { layOut } from "../../../static/src/views/grid/layout";
import { siteEvent } from "../made";

const names = ["decoder.self.0", "decoder.self.1", "decoder.self.2"];
const layout = layOut(groupSites(names), () => 4, 320, 500);
const arrived = (run: Run, name: string) =>
  fold(run, siteEvent({ site: name, heads: 4, overview: Array(16).fill(9) }));

test("a layer that arrives makes one batch; those that are there stay the same objects", () => {
  const batches = openGridBatches();
  const one = arrived(EMPTY_RUN, "decoder.self.0");
  const [first] = batches.of(layout, one, false, 1);
  const two = batches.of(layout, arrived(one, "decoder.self.1"), false, 1);
  expect(two).toHaveLength(2);
  expect(two[0]).toBe(first);
  expect(two[1]?.quads).toHaveLength(4);
});

test("drawing again, as scrolling does, makes nothing", () => {
  const batches = openGridBatches();
  const run = names.reduce(arrived, EMPTY_RUN);
  const once = batches.of(layout, run, false, 2);
  expect(batches.of(layout, run, false, 2).every((batch, place) => batch === once[place])).toBe(true);
});

test("other places, another scale or another screen make the batches anew", () => {
  const batches = openGridBatches();
  const run = names.reduce(arrived, EMPTY_RUN);
  const [first] = batches.of(layout, run, false, 1);
  expect(batches.of(layout, run, true, 1)[0]).not.toBe(first);
  expect(batches.of(layout, run, true, 2)[0]?.quads[1]?.place[0]).toBe(2 * (layout.cells[1]?.x ?? 0));
  const narrower = layOut(groupSites(names), () => 4, 200, 500);
  expect(batches.of(narrower, run, true, 2)).toHaveLength(3);
});
