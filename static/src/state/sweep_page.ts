/** A sweep's page: its table, asked for again while rows are under way, and which rows' curves are laid over one another. */
import { Store } from "./store";
import { tryTo } from "./trying";
import { ApiError } from "../wire/http";
import { cancelSweep, readSweep, type SweepRecord, type SweepRow } from "../wire/sweeps";

export type { PowerLaw, SweepRecord, SweepRow } from "../wire/sweeps";

/** The table is small, and rows end minutes apart. */
const ASK_AGAIN_MS = 3_000;

export class SweepPage {
  readonly record = new Store<SweepRecord | null>(null);
  readonly problem = new Store<ApiError | null>(null);
  readonly isStopping = new Store(false);

  constructor(readonly id: string) {}

  start(): void {
    void this.#ask();
  }

  async cancel(): Promise<void> {
    this.isStopping.set(true);
    await tryTo(this.problem, async () => this.record.set(await cancelSweep(this.id)));
    this.isStopping.set(false);
  }

  async #ask(): Promise<void> {
    await tryTo(this.problem, async () => {
      this.problem.set(null);
      this.record.set(await readSweep(this.id));
    });
    if (this.record.value === null || this.record.value.rows.some(isGoing)) setTimeout(() => void this.#ask(), ASK_AGAIN_MS);
  }
}

export function isGoing({ state }: Pick<SweepRow, "state">): boolean {
  return state === "queued" || state === "running";
}

/** The metrics that any row has, the loss first. */
export function metricsOf({ rows }: SweepRecord): string[] {
  const names = new Set(rows.flatMap(({ metrics }) => Object.keys(metrics ?? {})));
  return [...names].sort((a, b) => Number(b === "loss") - Number(a === "loss"));
}
