/** What the server refuses becomes a problem that a view can show; anything else is a mistake of ours, and is thrown. */
import type { Store } from "./store";
import { ApiError } from "../wire/http";

export async function tryTo(problem: Store<ApiError | null>, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    problem.set(error);
  }
}
