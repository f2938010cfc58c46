import { expect, test, vi } from "vitest";
import { Floors } from "../../../static/src/tiles/floors";
import { Rectangles } from "../../../static/src/tiles/rectangles";
import { ApiError } from "../../../static/src/wire/http";
import { siteEvent } from "../made";

const map = { run: "r1", site: "decoder.self.0", head: 0 };
const settle = () => new Promise((resolve) => setTimeout(resolve));
const none = () => new Rectangles(() => new Promise(() => {}));
/** 640 rows and keys: three blocks. */
const long = siteEvent({ side: 64, cell: 10 });
const short = siteEvent({ side: 2 });

/** Each row's floor is its number, in thousandths. */
const told = async (_map: unknown, [first, last]: readonly [number, number]) => ({
  floors: Array.from({ length: last - first }, (_, row) => (first + row) / 1000),
});

test("only rows that are wanted are asked for, a block at a time, each once", async () => {
  const read = vi.fn(told);
  const floors = new Floors(none(), read);
  expect(floors.wantRows("map", 0.5, [{ site: long, map, rows: [100, 300] }])).toBe(512);
  await settle();
  await settle();
  expect(floors.wantRows("map", 0.5, [{ site: long, map, rows: [100, 300] }])).toBe(0);
  expect(read.mock.calls.map(([, rows]) => rows)).toEqual([[0, 256], [256, 512]]);
  expect(floors.at(long, map, 299, 0.5)).toBeCloseTo(0.299);
  expect(floors.at(long, map, 600, 0.5)).toBeNull();
});

test("another share is asked for anew, and none where all is kept", async () => {
  const read = vi.fn(async (_map: unknown, rows: readonly [number, number], _mass: number) => told(_map, rows));
  const floors = new Floors(none(), read);
  for (const mass of [0.5, 0.9, 1]) {
    floors.wantRows("map", mass, [{ site: long, map, rows: [0, 10] }]);
    await settle();
  }
  expect(read.mock.calls.map(([, , mass]) => mass)).toEqual([0.5, 0.9]);
});

test("rows whose floors are on their way leave nothing out, and the others do not wait for them", async () => {
  const floors = new Floors(none(), told);
  floors.wantRows("map", 0.5, [{ site: long, map, rows: [0, 256] }]);
  await settle();
  const exact = floors.of(long, map, [0, 640], 0.5);
  expect([exact?.values[200], exact?.values[255], exact?.values[256]]).toEqual([
    Math.fround(0.2),
    Math.fround(0.255),
    -1,
  ]);
  const pooled = floors.of(long, map, [128, 512], 0.5, 128);
  expect([...(pooled?.values ?? [])]).toEqual([Math.fround(0.128), -1, -1]);
  expect(floors.of(long, map, [256, 512], 0.5)).toBeNull();
});

test("the same floors are the same object under the same key, and others have another key", async () => {
  const floors = new Floors(none(), told);
  floors.wantRows("map", 0.5, [{ site: long, map, rows: [0, 256] }]);
  await settle();
  const part = floors.of(long, map, [0, 640], 0.5);
  expect(floors.of(long, map, [0, 640], 0.5)).toBe(part);
  floors.wantRows("map", 0.5, [{ site: long, map, rows: [0, 640] }]);
  await settle();
  await settle();
  expect(floors.of(long, map, [0, 640], 0.5)?.key).not.toBe(part?.key);
});

test("a map that is one tile is sorted here", async () => {
  const rectangles = new Rectangles(async () => ({ values: Float32Array.of(1, 0, 0.75, 0.25), shape: [2, 2] }));
  const read = vi.fn(told);
  const floors = new Floors(rectangles, read);
  rectangles.want("map", map, [{ rows: [0, 2], cols: [0, 2], cell: 1 }]);
  await settle();
  expect(floors.wantRows("map", 0.5, [{ site: short, map, rows: [0, 2] }])).toBe(0);
  expect(read).not.toHaveBeenCalled();
  expect(floors.at(short, map, 1, 0.5)).toBeCloseTo(0.75, 2);
});

test("a refusal is told and asked again by hand", async () => {
  const read = vi.fn(told).mockRejectedValueOnce(new ApiError("The run is gone.", "gone", 409));
  const floors = new Floors(none(), read);
  floors.wantRows("map", 0.5, [{ site: long, map, rows: [0, 10] }]);
  await settle();
  expect(floors.failureOf(map)?.message).toBe("The run is gone.");
  floors.retry();
  await settle();
  expect(floors.failureOf(map)).toBeUndefined();
  expect(floors.at(long, map, 3, 0.5)).toBeCloseTo(0.003);
});

test("floors of weights that came while the run was under way are found anew when it is over", async () => {
  let values = Float32Array.of(1, 0, 0.75, 0.25);
  const rectangles = new Rectangles(undefined, undefined, () => values);
  const floors = new Floors(rectangles, told);
  for (const readings of [rectangles, floors]) readings.follow("r1", true);
  expect(floors.of(short, map, [0, 2], 0.5)?.values[1]).toBeCloseTo(0.75, 2);
  values = Float32Array.of(1, 0, 0.875, 0.125);
  for (const readings of [rectangles, floors]) readings.follow("r1", false);
  expect(floors.of(short, map, [0, 2], 0.5)?.values[1]).toBeCloseTo(0.875, 2);
});
