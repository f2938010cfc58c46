/**
 * A run's stream of frames, each exactly once and in order, over however many connections it takes.
 *
 * Every connection asks for what follows the last seq that was delivered. A frame seen before is dropped;
 * a frame that leaves a gap closes the connection, and the next one asks again.
 */
import { say } from "../language/say";
import { decode, FrameError } from "./frame";
import type { RunEvent } from "./messages";

export type Connection =
  | { state: "connecting" }
  | { state: "live" }
  | { state: "waiting"; retry_at_ms: number; tries: number }
  | { state: "done" }
  | { state: "refused"; reason: string };

export interface RunSocketOptions {
  address: string;
  /** The seq of the last event that is here already. */
  after?: number;
  onEvent(event: RunEvent): void;
  onConnection(connection: Connection): void;
  open?: (address: string) => WebSocket;
}

/** Of a path on this site, as a socket is opened: secure where the page is. */
export function socketAddress(page: Location, path: string): string {
  const address = new URL(path, page.href);
  address.protocol = page.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

export interface RunSocket {
  close(): void;
  /** Connects at once instead of waiting for the next try. */
  retry(): void;
}

const CLOSED_DONE = 1000;
const CLOSED_TOO_SLOW = 4408;
const REFUSALS: Record<number, string> = {
  4400: say("The server did not understand where to resume. Reload the page."),
  4404: say("There is no run at this address. It may have been deleted, or you are signed out."),
  4410: say("This link leads nowhere any more. It has expired, or was withdrawn by whoever shared it."),
};
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 8_000;

export function openRunSocket(options: RunSocketOptions): RunSocket {
  const open = options.open ?? ((address) => new WebSocket(address));
  let lastSeq = options.after ?? 0;
  let tries = 0;
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;

  function connect(): void {
    clearTimeout(timer);
    options.onConnection({ state: "connecting" });
    const current = open(`${options.address}?after=${lastSeq}`);
    socket = current;
    current.binaryType = "arraybuffer";
    current.onopen = () => options.onConnection({ state: "live" });
    current.onmessage = ({ data }) => {
      if (socket === current) receive(current, data as ArrayBuffer);
    };
    current.onclose = ({ code }) => {
      if (socket === current) closed(code);
    };
  }

  function receive(current: WebSocket, buffer: ArrayBuffer): void {
    const event = read(current, buffer);
    if (!event) return;
    if (event.seq <= lastSeq) return;
    if (event.seq > lastSeq + 1) return current.close();
    lastSeq = event.seq;
    tries = 0;
    options.onEvent(event);
  }

  function read(current: WebSocket, buffer: ArrayBuffer): RunEvent | null {
    try {
      return decode(buffer);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      end({ state: "refused", reason: error.message });
      current.close();
      return null;
    }
  }

  function closed(code: number): void {
    socket = null;
    if (over) return;
    if (code === CLOSED_DONE) return end({ state: "done" });
    const reason = REFUSALS[code];
    if (reason) return end({ state: "refused", reason });
    const delay = code === CLOSED_TOO_SLOW ? 0 : backoff(tries);
    tries += 1;
    options.onConnection({ state: "waiting", retry_at_ms: Date.now() + delay, tries });
    timer = setTimeout(connect, delay);
  }

  function end(connection: Connection): void {
    over = true;
    options.onConnection(connection);
  }

  connect();
  return {
    close() {
      over = true;
      clearTimeout(timer);
      socket?.close();
      socket = null;
    },
    retry() {
      if (!over && socket === null) connect();
    },
  };
}

/** Doubles up to a ceiling, with a spread of a quarter so that many pages do not return in the same instant. */
function backoff(tries: number): number {
  const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** tries);
  return delay * (0.75 + Math.random() * 0.5);
}
