/** What the grid tells the browser's timeline. */
import { expect, test } from "vitest";
import type { Batch } from "../../../static/src/gl/surface";
import { markDrawn } from "../../../static/src/views/grid/marks";
import type { Site } from "../../../static/src/wire/messages";
import { overviewSheet } from "../../../static/src/tiles/sheets";
import { siteEvent } from "../made";

function mapsOf(site: Site): Batch {
  const sheet = overviewSheet("r1", site);
  const quad = { sheet, layer: 0, gain: 1, top: 1, cell: 1, reach: null };
  return { quads: [{ ...quad, place: [0, 0, 1, 1], part: [0, 0, 1, 1], origin: [0, 0] }] };
}

const marks = (site: string) => performance.getEntriesByName(`site-drawn:${site}`).map(({ startTime }) => startTime);

test("a site is marked when it is drawn, once, and a later run's mark replaces it", () => {
  const [first, second] = [siteEvent({ site: "decoder.self.0" }), siteEvent({ site: "decoder.self.1" })];
  markDrawn([first, second], [mapsOf(first)]);
  expect(marks("decoder.self.1")).toEqual([]);
  const [drawn] = marks("decoder.self.0");
  expect(drawn).toBeGreaterThan(0);
  markDrawn([first], [mapsOf(first)]);
  expect(marks("decoder.self.0")).toEqual([drawn]);

  const again = siteEvent({ site: "decoder.self.0" });
  markDrawn([again], [mapsOf(again)]);
  expect(marks("decoder.self.0")).toHaveLength(1);
  expect(marks("decoder.self.0")[0]).toBeGreaterThan(drawn as number);
});
