import { expect, test } from "vitest";
import { openCanvasSurface } from "../../../static/src/gl/canvas2d";
import { divergingRampOf, type Ramp, rampOf, ZERO_STEP } from "../../../static/src/gl/ramp";
import type { Quad, RowFloors } from "../../../static/src/gl/surface";

const SEQUENTIAL: Ramp = rampOf("light");

/** Which step of the ramp each pixel has, of a picture with one quad. */
function drawn(quad: Quad, width: number, height: number, ramp = SEQUENTIAL, signed = false): number[] {
  let pixels = new Uint8ClampedArray();
  const context = {
    fillRect() {},
    createImageData: (w: number, h: number) => ({ data: new Uint8ClampedArray(w * h * 4) }),
    putImageData: ({ data }: ImageData) => (pixels = data as typeof pixels),
  };
  const canvas = { width, height, getContext: () => Object.assign(context, { canvas }) };
  openCanvasSurface(canvas as unknown as HTMLCanvasElement).draw({ quads: [quad], scale: "linear", ramp, signed });
  return Array.from({ length: width * height }, (_, pixel) => {
    const colour = [...pixels.subarray(pixel * 4, pixel * 4 + 3)].join();
    for (let step = 0; step < 256; step++)
      if ([...ramp.bytes.subarray(step * 4, step * 4 + 3)].join() === colour) return step;
    return -1;
  });
}

function quadOf(floors: RowFloors | null, pixels: number): Quad {
  const values = Float32Array.of(0.5, 1, 0.5, 1);
  return {
    sheet: { key: "k", run: "r", values, width: 2, height: 2, layers: 1 },
    layer: 0,
    place: [0, 0, pixels, pixels],
    part: [0, 0, 2, 2],
    gain: 1,
    top: 1,
    origin: [0, 0],
    cell: 1,
    reach: null,
    floors,
  };
}

test("a value below the floor of its row is left out, one that reaches it is drawn", () => {
  const floors = { key: "f", values: Float32Array.of(0.75, 0.5) };
  const [a, b, c, d] = drawn(quadOf(floors, 2), 2, 2);
  expect([a, b, d]).toEqual([0, 255, 255]);
  expect(c).toBeGreaterThan(100);
  expect(drawn(quadOf(null, 2), 2, 2)[0]).toBe(c);
});

test("a pixel of several values shows the largest of those that are kept", () => {
  const floors = { key: "f", values: Float32Array.of(2, 0.5) };
  expect(drawn(quadOf(floors, 1), 1, 1)).toEqual([255]);
  expect(drawn(quadOf({ key: "g", values: Float32Array.of(2, 2) }, 1), 1, 1)).toEqual([0]);
});

test("of differences a pixel shows the one that is furthest from 0, with its sign", () => {
  const quad = quadOf(null, 1);
  quad.sheet.values = Float32Array.of(0.25, -0.5, 0, 0.125);
  const ramp = divergingRampOf("light");
  const [together] = drawn(quad, 1, 1, ramp, true);
  const each = drawn({ ...quad, place: [0, 0, 2, 2] }, 2, 2, ramp, true);
  expect(each[2]).toBe(ZERO_STEP);
  expect(each[0]).toBeGreaterThan(ZERO_STEP);
  expect(together).toBe(each[1]);
  expect(together).toBeLessThan(ZERO_STEP);
});
