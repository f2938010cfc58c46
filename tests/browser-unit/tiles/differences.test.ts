import { expect, test, vi } from "vitest";
import { comparedKey, Differences } from "../../../static/src/tiles/differences";

const compared = { a: "r1", b: "r2", pairs: "decoder.3.4,decoder.5.6" };
const map = { run: comparedKey(compared), site: "decoder.self.0", head: 1 };
const area = { rows: [2, 4] as [number, number], cols: [0, 2] as [number, number], cell: 1 };
const settle = () => new Promise((resolve) => setTimeout(resolve));

test("a rectangle is asked for both runs and their pairs, and read at its place", async () => {
  const read = vi.fn(async () => ({ values: new Float32Array([0.5, -0.25, 0, NaN]), shape: [2, 2] }));
  const differences = new Differences(read);
  differences.want("difference", map, [area]);
  await settle();
  expect(read).toHaveBeenCalledWith(compared, { site: "decoder.self.0", head: 1, ...area }, expect.anything());
  expect(differences.at(map, area, 2, 1)).toBe(-0.25);
  expect(differences.at(map, area, 3, 0)).toBe(0);
});

test("what has no partner is drawn as nothing: a card may not tell NaN from a number", async () => {
  const differences = new Differences(async () => ({ values: new Float32Array([NaN, 1]), shape: [1, 2] }));
  differences.want("difference", map, [area]);
  await settle();
  expect([...(differences.get(map, area)?.values ?? [])]).toEqual([0, 1]);
});
