/** The plan that a person puts together, kept in this tab until it is started; `?from=ID` fills it from a training. */
import { Store } from "./store";
import { FIRST_PLAN, type Plan, planFrom, withTask } from "./training_plan";
import { ApiError } from "../wire/http";
import { listTrainings, readTraining, readTrainingText, startTraining, type TrainingRecord } from "../wire/trainings";

const KEPT = "headlight-plan";

export class TrainingForm {
  readonly plan: Store<Plan>;
  readonly problem = new Store<ApiError | null>(null);
  readonly isStarting = new Store(false);
  readonly trainings = new Store<readonly TrainingRecord[] | null>(null);

  constructor(private readonly window: Window) {
    this.plan = new Store(kept(window.sessionStorage) ?? withTask(FIRST_PLAN, FIRST_PLAN.assignment));
    this.plan.subscribe((plan) => keep(window.sessionStorage, plan));
  }

  async open(): Promise<void> {
    const from = new URLSearchParams(this.window.location.search).get("from");
    await Promise.all([this.#tryTo(async () => this.trainings.set(await listTrainings())), from ? this.#fill(from) : null]);
  }

  change(change: Partial<Plan>): void {
    if (this.problem.value?.field && this.problem.value.field in change) this.problem.set(null);
    this.plan.update((plan) => ({ ...plan, ...change }));
  }

  async start(): Promise<void> {
    this.problem.set(null);
    this.isStarting.set(true);
    await this.#tryTo(async () => {
      const { page } = await startTraining(this.plan.value);
      this.window.location.assign(page);
    });
    this.isStarting.set(false);
  }

  async #fill(id: string): Promise<void> {
    await this.#tryTo(async () => {
      const { plan } = await readTraining(id);
      const text = plan.assignment === "text" ? await readTrainingText(id) : null;
      this.plan.set(planFrom({ ...plan, text }));
    });
  }

  async #tryTo(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem.set(error);
    }
  }
}

function kept(storage: Storage): Plan | null {
  const plan = storage.getItem(KEPT);
  return plan === null ? null : planFrom(JSON.parse(plan) as Record<string, unknown>);
}

/** A text may be longer than a browser keeps; the form works without it. */
function keep(storage: Storage, plan: Plan): void {
  try {
    storage.setItem(KEPT, JSON.stringify(plan));
  } catch {
    storage.removeItem(KEPT);
  }
}
