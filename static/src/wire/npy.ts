/**
 * Reads a float32 array from an .npy file.
 * Source: NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays", versions 1 to 3.
 */
export interface Matrix {
  values: Float32Array;
  shape: number[];
}

export function readNpy(buffer: ArrayBuffer): Matrix {
  const bytes = new Uint8Array(buffer);
  if (bytes[0] !== 0x93 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY") {
    throw new Error("The server sent something that is not an .npy array.");
  }
  const lengthIsShort = bytes[6] === 1;
  const view = new DataView(buffer);
  const headerStart = lengthIsShort ? 10 : 12;
  const headerBytes = lengthIsShort ? view.getUint16(8, true) : view.getUint32(8, true);
  const header = new TextDecoder("latin1").decode(bytes.subarray(headerStart, headerStart + headerBytes));
  if (!/'descr':\s*'<f4'/.test(header) || !/'fortran_order':\s*False/.test(header)) {
    throw new Error("The array is not little-endian float32 in row order.");
  }
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? "")
    .split(",")
    .filter((size) => size.trim() !== "")
    .map(Number);
  const length = shape.reduce((product, size) => product * size, 1);
  return { values: new Float32Array(buffer, headerStart + headerBytes, length), shape };
}
