/** The plan that a person puts together, kept in this tab until it is started; `?from=ID` fills it from a training. */
import { Store } from "./store";
import { tryTo } from "./trying";
import { FIRST_PLAN, GENTLE, type AssignmentName, type Plan, planFrom, type Presets, withTask } from "./training_plan";
import { canStart, learnsText } from "./training_tasks";
import { ApiError, listModels, type Model } from "../wire/http";
import { listTrainings, readTraining, readTrainingText, startTraining, storeArchive, type TrainingRecord } from "../wire/trainings";

const KEPT = "headlight-plan";

export class TrainingForm {
  readonly plan: Store<Plan>;
  readonly problem = new Store<ApiError | null>(null);
  readonly isStarting = new Store(false);
  readonly trainings = new Store<readonly TrainingRecord[] | null>(null);
  /** All of the library; which of them the task can start from, `starts` says. */
  readonly models = new Store<readonly Model[]>([]);
  /** The zip that was chosen here, or is on its way. */
  readonly archive = new Store<{ name: string; isSending: boolean } | null>(null);
  #text = "";

  constructor(
    private readonly window: Window,
    readonly presets: Presets = {},
  ) {
    this.plan = new Store(kept(window.sessionStorage) ?? withTask(FIRST_PLAN, FIRST_PLAN.assignment, presets));
    this.plan.subscribe((plan) => keep(window.sessionStorage, plan));
  }

  get starts(): Model[] {
    return this.models.value.filter((model) => canStart(this.plan.value.assignment, model));
  }

  async open(): Promise<void> {
    const from = new URLSearchParams(this.window.location.search).get("from");
    await Promise.all([
      tryTo(this.problem, async () => this.trainings.set(await listTrainings())),
      tryTo(this.problem, async () => this.models.set((await listModels()).models)),
      from ? this.#fill(from) : null,
    ]);
  }

  /** A text that was written stays, also over a task that needs none. */
  choose(assignment: AssignmentName): void {
    this.#text = this.plan.value.text ?? this.#text;
    this.problem.set(null);
    this.plan.update((plan) => withTask({ ...plan, text: this.#text }, assignment, this.presets));
  }

  change(change: Partial<Plan>): void {
    if (this.problem.value?.field && this.problem.value.field in change) this.problem.set(null);
    this.plan.update((plan) => ({ ...plan, ...change }));
  }

  /** Null: from nothing, with the task's own sizes and rate. */
  startFrom(id: string | null): void {
    const model = this.models.value.find((one) => one.id === id);
    if (!model) {
      const { learning_rate, warmup, layers, heads, width, vocabulary } = { ...FIRST_PLAN, ...this.presets[this.plan.value.assignment] };
      this.change({ start: null, learning_rate, warmup, layers, heads, width, vocabulary });
      return;
    }
    const { layers, heads, width, vocabulary } = model;
    this.change({ start: model.id, leaning: false, tokenizer: "bpe", tokenizer_from: null, ...GENTLE, layers, heads, width, vocabulary });
  }

  async takeText(file: File): Promise<void> {
    this.change({ text: await file.text() });
  }

  async takeArchive(file: File): Promise<void> {
    this.problem.set(null);
    this.archive.set({ name: file.name, isSending: true });
    this.change({ pictures: null });
    await tryTo(this.problem, async () => {
      const pictures = await storeArchive(file);
      this.archive.set({ name: file.name, isSending: false });
      this.change({ pictures });
    });
    if (this.plan.value.pictures === null) this.archive.set(null);
  }

  async start(): Promise<void> {
    this.problem.set(null);
    this.isStarting.set(true);
    await tryTo(this.problem, async () => {
      const { page } = await startTraining(this.plan.value);
      this.window.location.assign(page);
    });
    this.isStarting.set(false);
  }

  async #fill(id: string): Promise<void> {
    await tryTo(this.problem, async () => {
      const { plan } = await readTraining(id);
      const text = learnsText(plan.assignment) ? await readTrainingText(id) : null;
      this.plan.set(planFrom({ ...plan, text }));
    });
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
