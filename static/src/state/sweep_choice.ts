/** Which sweep of the form's plan is wanted, and which of its rows; and the sweeps that there are. */
import { Store } from "./store";
import { tryTo } from "./trying";
import type { TrainingForm } from "./training_form";
import { ApiError } from "../wire/http";
import { listSweeps, listVariants, startSweep, type SweepKind, type SweepSummary } from "../wire/sweeps";

export type { SweepKind } from "../wire/sweeps";

export class SweepChoice {
  readonly kind = new Store<SweepKind | null>(null);
  readonly rows = new Store<readonly string[]>([]);
  readonly wanted = new Store<ReadonlySet<string>>(new Set());
  readonly isStarting = new Store(false);
  readonly problem = new Store<ApiError | null>(null);
  readonly sweeps = new Store<readonly SweepSummary[]>([]);

  constructor(
    private readonly window: Window,
    private readonly form: TrainingForm,
  ) {
    // Rows are those of the plan as it is now.
    form.plan.subscribe(() => void (this.kind.value && this.#ask(this.kind.value)));
  }

  async open(): Promise<void> {
    this.problem.set(null);
    await tryTo(this.problem, async () => this.sweeps.set(await listSweeps()));
  }

  async choose(kind: SweepKind): Promise<void> {
    this.wanted.set(new Set());
    this.rows.set([]);
    this.kind.set(this.kind.value === kind ? null : kind);
    if (this.kind.value) await this.#ask(kind);
  }

  want(row: string, isWanted: boolean): void {
    this.wanted.update((wanted) => new Set([...wanted].filter((one) => one !== row).concat(isWanted ? [row] : [])));
  }

  async start(): Promise<void> {
    const { value: kind } = this.kind;
    if (!kind) return;
    this.isStarting.set(true);
    const rows = this.rows.value.filter((row) => this.wanted.value.has(row));
    this.problem.set(null);
    await tryTo(this.problem, async () => this.window.location.assign((await startSweep(kind, this.form.plan.value, rows)).page));
    this.isStarting.set(false);
  }

  async #ask(kind: SweepKind): Promise<void> {
    this.problem.set(null);
    await tryTo(this.problem, async () => {
      const rows = await listVariants(kind, this.form.plan.value);
      const [known, wanted] = [new Set(this.rows.value), this.wanted.value];
      this.wanted.set(new Set(rows.filter((row) => !known.has(row) || wanted.has(row))));
      this.rows.set(rows);
    });
  }
}
