/** A socket that is cut, slow or confused: every frame is delivered once and in order, whatever happens. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Connection, openRunSocket } from "../../../static/src/wire/socket";

class FakeSocket {
  static opened: FakeSocket[] = [];
  binaryType = "";
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  constructor(readonly address: string) {
    FakeSocket.opened.push(this);
  }
  close(): void {
    this.onclose?.({ code: 1005 });
  }
  drop(code = 1006): void {
    this.onclose?.({ code });
  }
  send(seq: number): void {
    this.onmessage?.({ data: frame(seq) });
  }
}

const golden = readFileSync(join(import.meta.dirname, "../../golden/cancelled.frame"));

function frame(seq: number): ArrayBuffer {
  const text = JSON.stringify({ type: "cancelled", seq, arrays: {} });
  const bytes = new Uint8Array(8 + text.length);
  bytes.set(golden.subarray(0, 4));
  new DataView(bytes.buffer).setUint32(4, text.length, true);
  bytes.set(new TextEncoder().encode(text), 8);
  return bytes.buffer;
}

let seqs: number[];
let connections: Connection[];

function follow() {
  return openRunSocket({
    address: "ws://host/ws/runs/r1",
    onEvent: (event) => seqs.push(event.seq),
    onConnection: (connection) => connections.push(connection),
    open: (address) => new FakeSocket(address) as unknown as WebSocket,
  });
}

function socket(index: number): FakeSocket {
  return FakeSocket.opened[index] as FakeSocket;
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.opened = [];
  seqs = [];
  connections = [];
});
afterEach(() => vi.useRealTimers());

test("after a cut the next connection asks for what follows the last frame", () => {
  follow();
  socket(0).send(1);
  socket(0).send(2);
  socket(0).drop();
  vi.runAllTimers();
  expect(socket(1).address).toBe("ws://host/ws/runs/r1?after=2");
  socket(1).send(3);
  expect(seqs).toEqual([1, 2, 3]);
});

test("a frame that comes twice is delivered once", () => {
  follow();
  for (const seq of [1, 2, 2, 1, 3]) socket(0).send(seq);
  expect(seqs).toEqual([1, 2, 3]);
});

test("a gap is never delivered; the frames are asked for again", () => {
  follow();
  socket(0).send(1);
  socket(0).send(3);
  vi.runAllTimers();
  expect(socket(1).address).toContain("after=1");
  for (const seq of [2, 3]) socket(1).send(seq);
  expect(seqs).toEqual([1, 2, 3]);
});

test("a late message of a dropped connection is not heard", () => {
  follow();
  socket(0).drop();
  vi.runAllTimers();
  socket(0).send(1);
  expect(seqs).toEqual([]);
});

test("tries come at growing distances, and a frame sets them back", () => {
  follow();
  for (let index = 0; index < 4; index++) {
    socket(index).drop();
    vi.runAllTimers();
  }
  const delays = connections.flatMap((now) => (now.state === "waiting" ? [now.tries] : []));
  expect(delays).toEqual([1, 2, 3, 4]);
  socket(4).send(1);
  socket(4).drop();
  expect(connections.at(-1)).toMatchObject({ state: "waiting", tries: 1 });
});

test("a viewer that was too slow comes back at once", () => {
  follow();
  socket(0).drop(4408);
  vi.advanceTimersByTime(1);
  expect(FakeSocket.opened).toHaveLength(2);
});

test("a finished stream stays closed", () => {
  follow();
  socket(0).drop(1000);
  vi.runAllTimers();
  expect(FakeSocket.opened).toHaveLength(1);
  expect(connections.at(-1)).toEqual({ state: "done" });
});

test("an unknown run is said in words and not tried again", () => {
  follow();
  socket(0).drop(4404);
  vi.runAllTimers();
  expect(FakeSocket.opened).toHaveLength(1);
  expect(connections.at(-1)).toMatchObject({ state: "refused", reason: expect.stringContaining("no run") });
});

test("bytes that are no frame end the stream with a reason", () => {
  follow();
  socket(0).onmessage?.({ data: new ArrayBuffer(2) });
  vi.runAllTimers();
  expect(connections.at(-1)).toMatchObject({ state: "refused" });
  expect(FakeSocket.opened).toHaveLength(1);
});

test("a page that leaves a run hears no more of it", () => {
  const run = follow();
  run.close();
  vi.runAllTimers();
  expect(FakeSocket.opened).toHaveLength(1);
});

test("retry connects at once while waiting", () => {
  const run = follow();
  socket(0).drop();
  run.retry();
  expect(FakeSocket.opened).toHaveLength(2);
  vi.runAllTimers();
  expect(FakeSocket.opened).toHaveLength(2);
});
