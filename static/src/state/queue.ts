/** Where a run stands in the queue, while it waits. */
import type { Store } from "./store";
import { ApiError, readRun } from "../wire/http";

/** Runs that come first, and workers that live; asked for again while a run waits. */
export interface QueuePlace {
  before: number;
  workers: number;
  /** About how long it still waits. */
  wait_s?: number | null;
}

const ASK_AGAIN_MS = 2_000;

/** Asks for the run's place until it starts, or another one is shown. */
export async function watchQueue(id: string, isWaiting: () => boolean, queue: Store<QueuePlace | null>): Promise<void> {
  queue.set(null);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    if (!isWaiting()) return;
    try {
      const { place, workers, wait_s } = await readRun(id);
      if (isWaiting() && place !== null) queue.set({ before: place, workers, wait_s });
    } catch (error) {
      // A server that does not answer is told by the run's socket.
      if (!(error instanceof ApiError)) throw error;
    }
  }
}
