import { expect, test } from "vitest";
import { EDGE_OPACITY, lineEnd } from "../../../static/src/gl/line_shape";

const columns = {
  left_x: 100,
  right_x: 400,
  top: 20,
  bottom: 220,
  left_y: 30,
  right_y: -70,
  pitch: 20,
  lane_px: 2,
  width_px: 1,
};

test("a line ends at the middle of its token, each side scrolled by itself", () => {
  expect(lineEnd(columns, "left", 3, 0, 1)).toEqual({ y: 90, opacity: 1 });
  expect(lineEnd(columns, "right", 8, 0, 1)).toEqual({ y: 90, opacity: 1 });
});

test("a partner out of sight is met at the window's edge, fainter", () => {
  expect(lineEnd(columns, "right", 0, 0, 1)).toEqual({ y: 20, opacity: EDGE_OPACITY });
  expect(lineEnd(columns, "left", 100, 0, 1)).toEqual({ y: 220, opacity: EDGE_OPACITY });
});

test("lines of several heads between the same tokens lie side by side, around the middle", () => {
  expect([0, 1, 2].map((lane) => lineEnd(columns, "left", 3, lane, 3).y)).toEqual([88, 90, 92]);
});
