/** Small pictures of every head, layer by layer. */
import { expect, test } from "vitest";
import { headUnder, neighbour, placeGallery, type SmallPicture } from "../../../static/src/views/picture/gallery";
import { siteEvent } from "../made";

const BOX = { width: 300, height: 200, ratio: 1 };
const SEEN = { rows: 2, cols: 2, first: 1 } as never;
const names = ["encoder.self.0", "encoder.self.1"];
const sites = new Map(names.map((site) => [site, siteEvent({ site, heads: 3, causal: false })]));
const pictures: SmallPicture[] = names.flatMap((site) =>
  [0, 1, 2].map((head) => ({ ref: { site, head }, weights: new Float32Array(4), exact: true })),
);

test("all heads fit, and each is found where it lies", () => {
  const gallery = placeGallery(sites, SEEN, BOX);
  expect(gallery.x + 3 * gallery.across).toBeLessThanOrEqual(BOX.width);
  expect(gallery.y + 2 * gallery.down).toBeLessThanOrEqual(BOX.height);
  for (const [index, { ref }] of pictures.entries()) {
    const [x, y] = [gallery.x + (ref.head + 0.05) * gallery.across, gallery.y + (Math.floor(index / 3) + 0.9) * gallery.down];
    expect(headUnder(gallery, pictures, x, y)?.ref).toEqual(ref);
  }
  expect(headUnder(gallery, pictures, 2, 2)).toBeNull();
  expect(headUnder(gallery, pictures, gallery.x + 3.4 * gallery.across, gallery.y + 1)).toBeNull();
});

test("arrow keys walk from head to head and stop at the edge", () => {
  expect(neighbour(pictures, { site: "encoder.self.0", head: 1 }, "ArrowDown")).toEqual({ site: "encoder.self.1", head: 1 });
  expect(neighbour(pictures, { site: "encoder.self.0", head: 2 }, "ArrowRight")).toBeNull();
  expect(neighbour(pictures, { site: "encoder.self.0", head: 0 }, "Enter")).toBeNull();
});
