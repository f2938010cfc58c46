/** A share, which keeps all that it draws: its one model, and its frames, which come at once. */
import { FrameError } from "../wire/frame";
import { ApiError, type Model } from "../wire/http";
import type { RunEvent } from "../wire/messages";
import { readFrames, type SharedPage } from "../wire/shares";

/** The one model that a share knows of; no worker stands by. */
export function modelOfShare({ shown_model }: SharedPage): { models: Model[]; workers: number } {
  return { models: shown_model ? [shown_model] : [], workers: 0 };
}

/** Has `learn` take each event, and waits for `show` once the first layer is there. Returns the last event's seq. */
export async function readShare(slug: string, learn: (event: RunEvent) => void, show: () => Promise<void>): Promise<number> {
  let after = 0;
  let layers = 0;
  try {
    for (const event of await readFrames(slug)) {
      learn(event);
      after = event.seq;
      if (event.type === "site" && ++layers === 1) await show();
    }
  } catch (error) {
    // The socket says why, in the map's place.
    if (!(error instanceof ApiError || error instanceof FrameError)) throw error;
  }
  return after;
}
