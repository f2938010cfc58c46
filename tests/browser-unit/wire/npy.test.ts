import { expect, test } from "vitest";
import { readNpy } from "../../../static/src/wire/npy";

function npy(header: string, values: number[]): ArrayBuffer {
  const padded = header.padEnd(118 - 1) + "\n";
  const buffer = new ArrayBuffer(10 + 118 + values.length * 4);
  const bytes = new Uint8Array(buffer);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]);
  bytes.set(new TextEncoder().encode(padded), 10);
  new Float32Array(buffer, 128).set(values);
  return buffer;
}

test("a float32 array comes back with its shape", () => {
  const { values, shape } = readNpy(
    npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", [1, 2, 3, 4, 5, 6]),
  );
  expect(shape).toEqual([2, 3]);
  expect([...values]).toEqual([1, 2, 3, 4, 5, 6]);
});

test("another type is refused, not misread", () => {
  expect(() => readNpy(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", [1, 2]))).toThrow("float32");
});

test("bytes that are no array are refused", () => {
  expect(() => readNpy(new TextEncoder().encode('{"error": {}}').buffer as ArrayBuffer)).toThrow("not an .npy array");
});
