/** What the form's plan takes, asked of the server shortly after each change. */
import { Store } from "./store";
import type { TrainingForm } from "./training_form";
import { ApiError } from "../wire/http";
import { estimatePlan, type PlanCosts } from "../wire/sweeps";

const WAIT_MS = 150;

export class PlanEstimate {
  readonly told = new Store<PlanCosts | null>(null);
  /** A plan that cannot be has no estimate; its field says why when it is started. */
  readonly problem = new Store<ApiError | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked: AbortController | null = null;

  constructor(private readonly form: TrainingForm) {
    form.plan.subscribe(() => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.ask(), WAIT_MS);
    });
  }

  async ask(): Promise<void> {
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    try {
      this.told.set(await estimatePlan(this.form.plan.value, asked.signal));
      this.problem.set(null);
    } catch (error) {
      if (asked.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.told.set(null);
      this.problem.set(error);
    }
  }
}
