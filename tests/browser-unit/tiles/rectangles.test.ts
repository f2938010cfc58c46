import { expect, test, vi } from "vitest";
import { Rectangles } from "../../../static/src/tiles/rectangles";
import { ApiError } from "../../../static/src/wire/http";

const map = { run: "r1", site: "decoder.self.0", head: 3 };
const area = (row: number) => ({ rows: [row, row + 1] as [number, number], cols: [0, 2] as [number, number], cell: 1 });
const settle = () => new Promise((resolve) => setTimeout(resolve));

test("a rectangle is read once, however often it is wanted", async () => {
  const read = vi.fn(async () => ({ values: new Float32Array([0.25, 0.75]), shape: [1, 2] }));
  const rectangles = new Rectangles(read);
  const arrived = vi.fn();
  rectangles.onArrival(arrived);
  rectangles.want("map", map, [area(0)]);
  rectangles.want("map", map, [area(0)]);
  await settle();
  rectangles.want("map", map, [area(0)]);
  expect(read).toHaveBeenCalledTimes(1);
  expect(arrived).toHaveBeenCalledTimes(1);
  expect(rectangles.get(map, area(0))).toMatchObject({ height: 1, width: 2 });
});

test("what is no longer wanted is dropped, what another asker wants is not", async () => {
  const signals: AbortSignal[] = [];
  const rectangles = new Rectangles((_run, _area, signal) => {
    if (signal) signals.push(signal);
    return new Promise(() => {});
  });
  rectangles.want("map", map, [area(0)]);
  rectangles.want("strip", map, [area(1)]);
  rectangles.want("map", map, [area(2)]);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false, false]);
});

test("at most four are on their way", () => {
  const read = vi.fn(() => new Promise<never>(() => {}));
  new Rectangles(read).want("map", map, [0, 1, 2, 3, 4, 5].map(area));
  expect(read).toHaveBeenCalledTimes(4);
});

test("a refusal is kept with its words and not asked for again until retry", async () => {
  const read = vi.fn(async () => Promise.reject(new ApiError("The run is gone.", "gone", 409)));
  const rectangles = new Rectangles(read);
  rectangles.want("map", map, [area(0)]);
  await settle();
  rectangles.want("map", map, [area(0)]);
  expect(read).toHaveBeenCalledTimes(1);
  expect(rectangles.failureOf(map)?.message).toBe("The run is gone.");
  rectangles.retry();
  await settle();
  expect(read).toHaveBeenCalledTimes(2);
});

test("workers that are away are asked again by themselves", async () => {
  vi.useFakeTimers();
  const read = vi
    .fn()
    .mockRejectedValueOnce(new ApiError("No worker answered.", "workers_away", 503))
    .mockResolvedValue({ values: new Float32Array(2), shape: [1, 2] });
  const rectangles = new Rectangles(read);
  rectangles.want("map", map, [area(0)]);
  await vi.runAllTimersAsync();
  vi.useRealTimers();
  expect(read).toHaveBeenCalledTimes(2);
  expect(rectangles.failureOf(map)).toBeUndefined();
});

test("a run that is being computed is asked when it is over", () => {
  const read = vi.fn((_run: string) => new Promise<never>(() => {}));
  const rectangles = new Rectangles(read);
  rectangles.follow("r1", true);
  rectangles.want("map", map, [area(0)]);
  expect(read).not.toHaveBeenCalled();
  rectangles.follow("r1", false);
  expect(read).toHaveBeenCalledTimes(1);
});

test("what came of a run is forgotten when another one is shown", async () => {
  const rectangles = new Rectangles(async () => ({ values: new Float32Array(2), shape: [1, 2] }));
  rectangles.follow("r1", false);
  rectangles.want("map", map, [area(0)]);
  await settle();
  expect(rectangles.get(map, area(0))).toBeDefined();
  rectangles.follow("r2", true);
  expect(rectangles.get(map, area(0))).toBeUndefined();
});

test("what is still wanted of a run that is not shown any more is not asked for", () => {
  const read = vi.fn((_run: string) => new Promise<never>(() => {}));
  const rectangles = new Rectangles(read);
  rectangles.follow("r1", true);
  rectangles.want("map", map, [area(0)]);
  rectangles.follow("r2", true);
  expect(read).not.toHaveBeenCalled();
});

test("what is known of the run without asking is given, and nobody is asked", () => {
  const read = vi.fn((_run: string) => new Promise<never>(() => {}));
  const rectangles = new Rectangles(read, undefined, () => Float32Array.of(0.25, 0.75));
  rectangles.follow("r1", false);
  expect([...(rectangles.get(map, area(0))?.values ?? [])]).toEqual([0.25, 0.75]);
  rectangles.want("map", map, [area(0)]);
  expect(read).not.toHaveBeenCalled();
});

test("another reading of the same head is read by its name, and never taken from what is known of the weights", async () => {
  const read = vi.fn(async () => ({ values: new Float32Array([3, 4]), shape: [1, 2] }));
  const rectangles = new Rectangles(read, undefined, () => Float32Array.of(0.25, 0.75));
  const moved = { ...map, reading: "reading=value" };
  expect(rectangles.get(moved, area(0))).toBeUndefined();
  rectangles.want("map", moved, [area(0)]);
  await settle();
  const asked = expect.objectContaining({ site: map.site, head: 3, reading: "reading=value" });
  expect(read).toHaveBeenCalledWith("r1", asked, expect.anything());
  expect([...(rectangles.get(moved, area(0))?.values ?? [])]).toEqual([3, 4]);
  expect([...(rectangles.get(map, area(0))?.values ?? [])]).toEqual([0.25, 0.75]);
});

test("of a reading that is of one row only that row is asked for; the rest of a rectangle is 0", async () => {
  const read = vi.fn(async () => ({ values: new Float32Array([0.5, 1]), shape: [1, 2] }));
  const rectangles = new Rectangles(read);
  const flow = { ...map, reading: "reading=flow", only: 1 };
  const whole = { rows: [0, 3] as [number, number], cols: [0, 2] as [number, number], cell: 1 };
  rectangles.want("map", flow, [whole]);
  await settle();
  const asked = expect.objectContaining({ rows: [1, 2], cols: [0, 2], reading: "reading=flow" });
  expect(read).toHaveBeenCalledWith("r1", asked, expect.anything());
  expect([...(rectangles.get(flow, whole)?.values ?? [])]).toEqual([0, 0, 0.5, 1, 0, 0]);
});
