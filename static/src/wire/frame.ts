/**
 * One frame of a run's stream, decoded into its event.
 *
 *   "HLF" version:u8 | header length:u32 | JSON header, padded with spaces | array | array | …
 *
 * The arrays are views of the received buffer; nothing is copied. All numbers are little endian.
 */
import { MAGIC, PREFIX_BYTES, type RunEvent, type TypedArrays, VERSION } from "./messages";

interface ArrayEntry {
  dtype: keyof TypedArrays;
  shape: number[];
  offset: number;
}

const VIEWS = { u8: Uint8Array, u16: Uint16Array, i32: Int32Array, f32: Float32Array };
const LENGTH_OFFSET = 4;

export class FrameError extends Error {
  override name = "FrameError";
}

/** Raises: FrameError, which says what is wrong with the bytes. */
export function decode(buffer: ArrayBuffer): RunEvent {
  const { header, arraysStart } = readHeader(buffer);
  const arrays: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(header.arrays ?? {})) {
    arrays[name] = { values: viewOf(buffer, arraysStart + entry.offset, name, entry), shape: entry.shape };
  }
  return { ...header, arrays } as unknown as RunEvent;
}

function readHeader(buffer: ArrayBuffer) {
  if (buffer.byteLength < PREFIX_BYTES) {
    throw new FrameError(`A frame has at least ${PREFIX_BYTES} bytes; this one has ${buffer.byteLength}.`);
  }
  const bytes = new Uint8Array(buffer);
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  if (magic !== MAGIC) throw new FrameError(`A frame starts with ${MAGIC}; this one does not.`);
  const version = bytes[MAGIC.length];
  if (version !== VERSION) {
    throw new FrameError(`This page reads frames of version ${VERSION}, not ${version}. Reload it.`);
  }
  const arraysStart = PREFIX_BYTES + new DataView(buffer).getUint32(LENGTH_OFFSET, true);
  if (arraysStart > buffer.byteLength) throw new FrameError("The frame ends inside its header.");
  const text = new TextDecoder().decode(bytes.subarray(PREFIX_BYTES, arraysStart));
  const header = JSON.parse(text) as { arrays?: Record<string, ArrayEntry> };
  return { header, arraysStart };
}

function viewOf(buffer: ArrayBuffer, start: number, name: string, entry: ArrayEntry) {
  const View = VIEWS[entry.dtype];
  if (!View) throw new FrameError(`The array ${name} has the unknown type ${entry.dtype}.`);
  const length = entry.shape.reduce((product, size) => product * size, 1);
  if (start + length * View.BYTES_PER_ELEMENT > buffer.byteLength) {
    throw new FrameError(`The array ${name} reaches past the end of the frame.`);
  }
  return new View(buffer, start, length);
}
