/** A share, which keeps all that it draws: its models, and its frames, which come at once. */
import { FrameError } from "../wire/frame";
import { ApiError, type Model, readPair } from "../wire/http";
import type { RunEvent } from "../wire/messages";
import { framesIn, type KeptPair, type SharedPage } from "../wire/shares";

/** The models of its runs; no worker stands by. */
export function modelsOfShare({ shown_model, second_model = null }: SharedPage): { models: Model[]; workers: number } {
  const models = [shown_model, second_model?.id === shown_model?.id ? null : second_model];
  return { models: models.filter((model) => model !== null), workers: 0 };
}

/** Reads a weight whose making was kept; any other is refused in these words, and nobody is asked. */
export function readPairOfShare({ pairs }: Pick<SharedPage, "pairs">, refusal: string, read: typeof readPair = readPair): typeof readPair {
  return async (place, signal) => {
    if (!pairs.some((pair) => isSame(pair, place))) throw new ApiError(refusal, "not_in_share", 409);
    return read(place, signal);
  };
}

function isSame(a: KeptPair, b: KeptPair): boolean {
  return a.site === b.site && a.head === b.head && a.row === b.row && a.col === b.col;
}

/** Has `learn` take each event, and waits for `show` once the first layer is there. Returns the last event's seq. */
export async function readShare(
  stored: Promise<ArrayBuffer>,
  learn: (event: RunEvent) => void,
  show: () => Promise<void> = async () => {},
): Promise<number> {
  let after = 0;
  let layers = 0;
  try {
    for (const event of framesIn(await stored)) {
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
