/** The golden frames are the ones that Python decodes too: tests/golden. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decode, FrameError } from "../../../static/src/wire/frame";

const GOLDEN = join(import.meta.dirname, "../../golden");

function bytesOf(name: string): ArrayBuffer {
  const file = readFileSync(join(GOLDEN, `${name}.frame`));
  return file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer;
}

function nested(values: ArrayLike<number>, shape: readonly number[], start = 0): unknown {
  const [size = 0, ...rest] = shape;
  const stride = rest.reduce((product, length) => product * length, 1);
  return Array.from({ length: size }, (_, index) =>
    rest.length ? nested(values, rest, start + index * stride) : values[start + index],
  );
}

const names = readdirSync(GOLDEN)
  .filter((file) => file.endsWith(".frame"))
  .map((file) => file.replace(".frame", ""));

describe.each(names)("the golden frame %s", (name) => {
  test("gives the event and the arrays that Python wrote", () => {
    const expected = JSON.parse(readFileSync(join(GOLDEN, `${name}.json`), "utf-8"));
    const { arrays, ...event } = decode(bytesOf(name)) as unknown as {
      arrays: Record<string, { values: Float32Array; shape: number[] }>;
    };
    expect(event).toEqual(expected.event);
    const lists = Object.fromEntries(
      Object.entries(arrays).map(([key, { values, shape }]) => [key, nested(values, shape)]),
    );
    expect(lists).toEqual(expected.arrays ?? {});
  });
});

test("arrays are views of the received bytes, not copies", () => {
  const buffer = bytesOf("site");
  const event = decode(buffer);
  expect(event.type === "site" && event.arrays.overview.values.buffer).toBe(buffer);
});

test("bytes that are no frame are refused with a sentence", () => {
  expect(() => decode(new TextEncoder().encode("GIF89a and so on").buffer as ArrayBuffer)).toThrow(FrameError);
  expect(() => decode(new ArrayBuffer(3))).toThrow("at least 8 bytes");
});

test("a frame of a later version asks for a reload", () => {
  const buffer = bytesOf("started");
  new Uint8Array(buffer)[3] = 2;
  expect(() => decode(buffer)).toThrow("version 1, not 2. Reload");
});

test("an array that reaches past the end is refused", () => {
  const buffer = bytesOf("site");
  expect(() => decode(buffer.slice(0, buffer.byteLength - 8))).toThrow("past the end");
});
