/** One's runs: those that are shown, what they are searched by, and what is done to them. */
import { Store } from "./store";
import { ApiError } from "../wire/http";
import { type Changes, changeRun, deleteRun, listRuns, type RunSummary, type Wanted } from "../wire/history";

export { thumbnailOf } from "../wire/history";
export type { RunSummary, Wanted } from "../wire/history";

export const EVERYTHING: Wanted = { search: "", state: "", kind: "", model: "", tag: "" };

export class History {
  readonly wanted: Store<Wanted>;
  /** Pinned ones first; null until the first answer is here. */
  readonly runs = new Store<readonly RunSummary[] | null>(null);
  readonly problem = new Store<ApiError | null>(null);
  /** Chosen to be compared, two at most. */
  readonly chosen = new Store<readonly string[]>([]);
  readonly hasMore = new Store(false);

  #next: string | null = null;
  #asking: AbortController | null = null;

  constructor(wanted: Wanted) {
    this.wanted = new Store(wanted);
    this.wanted.subscribe(() => void this.read());
  }

  /** The first page; what was asked before is not waited for. */
  async read(): Promise<void> {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    await this.#trying(async () => {
      const wanted = this.wanted.value;
      const pinned = await listRuns({ ...wanted, pinned: true }, null, asking.signal);
      const { runs, next } = await listRuns({ ...wanted, pinned: false }, null, asking.signal);
      this.#tell([...pinned.runs, ...runs], next);
    }, asking.signal);
  }

  async more(): Promise<void> {
    const cursor = this.#next;
    if (cursor === null) return;
    const signal = (this.#asking ??= new AbortController()).signal;
    await this.#trying(async () => {
      const { runs, next } = await listRuns({ ...this.wanted.value, pinned: false }, cursor, signal);
      if (this.#next === cursor) this.#tell([...(this.runs.value ?? []), ...runs], next);
    }, signal);
  }

  async change(id: string, changes: Changes): Promise<void> {
    await this.#trying(async () => {
      const changed = await changeRun(id, changes);
      const runs = (this.runs.value ?? []).map((run) => (run.id === id ? changed : run));
      this.runs.set(changes.pinned === undefined ? runs : sorted(runs));
    });
  }

  async delete(id: string): Promise<void> {
    await this.#trying(async () => {
      await deleteRun(id);
      this.chosen.update((chosen) => chosen.filter((other) => other !== id));
      this.runs.update((runs) => runs?.filter((run) => run.id !== id) ?? null);
    });
  }

  /** The oldest choice gives way to a third. */
  choose(id: string, isChosen: boolean): void {
    this.chosen.update((chosen) => [...chosen.filter((other) => other !== id), ...(isChosen ? [id] : [])].slice(-2));
  }

  /** Where the two that are chosen stand side by side. */
  get comparison(): string | null {
    const [a, b] = this.chosen.value;
    return a && b ? `/runs/${a}?with=${b}` : null;
  }

  #tell(runs: readonly RunSummary[], next: string | null): void {
    this.#next = next;
    this.hasMore.set(next !== null);
    this.runs.set(runs);
  }

  async #trying(action: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    this.problem.set(null);
    try {
      await action();
    } catch (error) {
      if (signal?.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.problem.set(error);
    }
  }
}

/** "syntax, week 3": what a person typed as tags. */
export function tagsOf(typed: string): string[] {
  return [...new Set(typed.split(",").map((tag) => tag.trim()).filter(Boolean))];
}

/** What the address says is looked for, and the other way round. */
export function readWanted(search: string): Wanted {
  const query = new URLSearchParams(search);
  const named = Object.keys(EVERYTHING).map((name) => [name, (query.get(name) ?? "").slice(0, 80)]);
  return Object.fromEntries(named) as unknown as Wanted;
}

export function writeWanted(wanted: Wanted): string {
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value) as [string, string][]);
  return query.size ? `?${query}` : "";
}

function sorted(runs: readonly RunSummary[]): RunSummary[] {
  return [...runs].sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.created_at.localeCompare(a.created_at));
}
