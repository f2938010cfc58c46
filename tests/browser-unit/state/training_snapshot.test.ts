import { expect, test } from "vitest";
import { measureOf } from "../../../static/src/state/run";
import { meanOverHeads, siteOf, sitesOf } from "../../../static/src/state/training_snapshot";
import { snapshotEvent } from "../made_training";

test("each site finds its own maps, scales, labels and measures behind those before it", () => {
  const snapshot = snapshotEvent(5, { labels: ["broad", "same", "induction"], induction: [0.25, 0.5, 0.75] });
  const [first, second] = sitesOf(snapshot);
  expect([...(first?.arrays.overview.values ?? [])]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect([...(second?.arrays.overview.values ?? [])]).toEqual([8, 9, 10, 11, 12, 13, 14, 15, 16]);
  expect(second?.arrays.overview.shape).toEqual([1, 3, 3]);
  expect(second?.arrays.scale.values[0]).toBeCloseTo(0.3);
  expect(second?.labels).toEqual(["induction"]);
  expect(measureOf(first as NonNullable<typeof first>, 1, "induction")).toBe(0.5);
  expect(measureOf(second as NonNullable<typeof second>, 0, "induction")).toBe(0.75);
});

test("a layer's entropy is the mean over its heads, and nothing where it was not measured", () => {
  const snapshot = snapshotEvent(5);
  expect(meanOverHeads(sitesOf(snapshot)[0] as never, "entropy")).toBe(1.5);
  expect(meanOverHeads(sitesOf(snapshot)[1] as never, "entropy")).toBeNull();
  expect(siteOf(snapshot, "decoder.self.7")).toBeNull();
});
