import { expect, test, vi } from "vitest";
import { ByteCache } from "../../../static/src/gl/byte_cache";

test("what was used longest ago goes first", () => {
  const evicted = vi.fn();
  const cache = new ByteCache<string>(10, evicted);
  cache.set("a", "A", 4);
  cache.set("b", "B", 4);
  cache.get("a");
  cache.set("c", "C", 4);
  expect(evicted.mock.calls).toEqual([["b", "B"]]);
  expect(cache.bytes).toBe(8);
});

test("the newest stays, even alone above the limit", () => {
  const cache = new ByteCache<string>(10);
  cache.set("a", "A", 4);
  cache.set("huge", "H", 40);
  expect([cache.has("a"), cache.has("huge")]).toEqual([false, true]);
});

test("setting a key again does not count its bytes twice", () => {
  const cache = new ByteCache<string>(10);
  cache.set("a", "A", 4);
  cache.set("a", "A2", 6);
  expect(cache.bytes).toBe(6);
});
