/**
 * Two runs side by side: the explorer's is the first, A; the other, B, is named by the address (`?with=ID`) and followed
 * here. What a worker says of their difference comes when both have finished. A share has kept all of it.
 */
import type { Explorer } from "./explorer";
import { CHANGE, changeKey } from "./heads";
import { NOBODY, type Partners, partnersOf } from "./partners";
import { EMPTY_RUN, fold, hasMapsToAskFor, queuedRun, type Run, type SequenceName, sequencesOf, type Site } from "./run";
import { readShare } from "./shared";
import { isSameHead } from "./sites";
import { derive, Store } from "./store";
import { DEFAULT_VIEW } from "./view";
import {
  ApiError,
  type ChangedHead,
  type Compared,
  type ComparisonReading,
  createRun,
  idOfSecond,
  readComparison,
  readRun,
  type RunOrder,
  socketOfRun,
} from "../wire/http";
import { requestFrames, type SharedPage } from "../wire/shares";
import { openRunSocket, type RunSocket, socketAddress } from "../wire/socket";

export type { ChangedHead, ChangedRow, Compared } from "../wire/http";

/** A row and a column, as places of either run; null where there is none. */
export interface PairOfPlaces {
  row: { a: number | null; b: number | null };
  col: { a: number | null; b: number | null };
}

export type Side = "a" | "b";

export class Comparison {
  readonly other = new Store<Run>(EMPTY_RUN);
  readonly found = new Store<ComparisonReading | null>(null);
  /** What the answer is of; null until both runs have finished. */
  readonly compared: Store<Compared | null>;
  /** Why there is no answer, in words. */
  readonly problem = new Store<string | null>(null);
  readonly pointed = new Store<PairOfPlaces | null>(null);
  /** Whether two runs are shown side by side. */
  readonly isOn: Store<boolean>;

  #socket: RunSocket | null = null;
  #asked: AbortController | null = null;

  constructor(
    private readonly explorer: Explorer,
    private readonly window: Window,
  ) {
    const { view, run } = explorer;
    this.isOn = derive([view], () => view.value.with !== null);
    const id = derive([view], () => view.value.with);
    id.subscribe((other) => this.#follow(other));
    this.compared = derive([view, run, this.other], () => this.#comparedNow());
    this.compared.subscribe((compared) => void this.#compare(compared));
    this.found.subscribe((found) =>
      explorer.change.set(found && new Map(found.heads.map((head) => [changeKey(head), head.distance]))),
    );
    // What was withdrawn is no longer shown to whoever has it open.
    explorer.connection.subscribe((connection) => {
      if (explorer.shared && connection?.state === "refused") this.other.set(EMPTY_RUN);
    });
    this.#follow(id.value);
  }

  get first(): Run {
    return this.explorer.run.value;
  }

  runOf(side: Side): Run {
    return side === "a" ? this.first : this.other.value;
  }

  /** From places of one run to places of the other. */
  partners(sequence: SequenceName, from: Side): Partners {
    const lengths = (["a", "b"] as const).map((side) => this.runOf(side).sequences[sequence]?.texts.length ?? 0);
    const pairs = this.found.value?.alignment[sequence] ?? [];
    return partnersOf(pairs, lengths[0] ?? 0, lengths[1] ?? 0)[from];
  }

  /** Both places of a row and a column of one run's map. */
  placesOf(site: Pick<Site, "stack" | "kind">, side: Side, row: number | null, col: number | null): PairOfPlaces {
    const { rows, columns } = sequencesOf(site);
    const both = (place: number | null, sequence: SequenceName) => {
      const partner = place === null ? NOBODY : (this.partners(sequence, side)[place] ?? NOBODY);
      const other = partner === NOBODY ? null : partner;
      return side === "a" ? { a: place, b: other } : { a: other, b: place };
    };
    return { row: both(row, rows), col: both(col, columns) };
  }

  /** The shown head, as the answer has it. */
  get head(): ChangedHead | null {
    const selected = this.explorer.selection.value;
    return this.found.value?.heads.find((head) => isSameHead(head, selected)) ?? null;
  }

  /** Runs a second text with the first run's model, and compares it. */
  compareText(text: string): Promise<boolean> {
    const { model } = this.first;
    return this.#begin(model ? { ...this.#order(), model, text } : null);
  }

  /** Runs the first run's text with another model, and compares it. */
  compareModel(model: string): Promise<boolean> {
    return this.#begin({ ...this.#order(), model });
  }

  /** Compares with a run by its id, or by a link to it. False where it is none. */
  compareRun(link: string): boolean {
    const id = /(?:^|\/runs\/)([a-z0-9]{20,26})(?:[/?#]|$)/.exec(link.trim())?.[1];
    if (id) this.#show(id);
    return id !== undefined;
  }

  leave(): void {
    this.explorer.view.update((view) => ({
      ...view,
      with: null,
      pairs: "",
      sort: view.sort === CHANGE ? DEFAULT_VIEW.sort : view.sort,
    }));
  }

  /** The first becomes the second. */
  swap(): void {
    const { a, b } = { a: this.first.id, b: this.other.value.id };
    if (!a || !b) return;
    this.explorer.walkTo({ id: b, page: `/runs/${b}` });
    this.#show(a);
  }

  #order(): RunOrder {
    const { text, target, text_pair, picture } = this.explorer.told.value;
    return {
      kind: "trace",
      model: "",
      ...(text !== null && !picture ? { text } : {}),
      ...(target ? { target } : {}),
      ...(text_pair ? { text_pair } : {}),
      ...(picture ? { picture } : {}),
    };
  }

  async #begin(order: RunOrder | null): Promise<boolean> {
    if (!order) return false;
    this.explorer.problem.set(null);
    try {
      this.#show((await createRun(order)).id);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.explorer.problem.set(error);
      return false;
    }
  }

  #show(id: string): void {
    this.explorer.view.update((view) => ({ ...view, with: id, pairs: "" }));
  }

  #follow(id: string | null): void {
    this.#socket?.close();
    this.#socket = null;
    this.problem.set(null);
    this.pointed.set(null);
    if (!id) return this.other.set(EMPTY_RUN);
    const { shared } = this.explorer;
    if (shared) return void this.#openShared(shared);
    this.other.set(queuedRun({ id, kind: "trace", model: null, text: null, target: null, text_pair: null }));
    this.#socket = openRunSocket({
      address: socketAddress(this.window.location, socketOfRun(id)),
      onEvent: (event) => {
        if (this.other.value.id === id) this.other.update((run) => fold(run, event));
      },
      onConnection: (connection) => {
        if (connection.state === "refused") this.problem.set(connection.reason);
      },
    });
    void this.#describe(id);
  }

  /** A share knows one other run. */
  async #openShared({ slug, second }: SharedPage): Promise<void> {
    if (!second) return this.other.set(EMPTY_RUN);
    const id = idOfSecond(slug);
    const { kind, model, text, target, text_pair, picture = null } = second;
    let run = queuedRun({ id, kind, model, text, target, text_pair, picture });
    this.other.set(run);
    await readShare(requestFrames(id), (event) => (run = fold(run, event)));
    if (this.other.value.id === id) this.other.set(run);
  }

  async #describe(id: string): Promise<void> {
    try {
      const { kind, model, text, target, text_pair, picture = null, error } = await readRun(id);
      if (this.other.value.id !== id) return;
      this.other.update((run) => ({ ...run, kind, model, text, target, text_pair, picture }));
      if (error) this.other.update((run) => ({ ...run, phase: "failed", failure: error }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem.set(error.message);
    }
  }

  #comparedNow(): Compared | null {
    const [first, other] = [this.first, this.other.value];
    if (!first.id || !other.id || first.phase !== "finished" || other.phase !== "finished") return null;
    if (!hasMapsToAskFor(first) || !hasMapsToAskFor(other)) return null;
    return { a: first.id, b: other.id, pairs: this.explorer.view.value.pairs };
  }

  async #compare(compared: Compared | null): Promise<void> {
    this.#asked?.abort();
    const isSameRuns = compared?.a === this.found.value?.a && compared?.b === this.found.value?.b;
    if (!isSameRuns) this.found.set(null);
    if (!compared) return;
    const asked = new AbortController();
    this.#asked = asked;
    this.problem.set(null);
    try {
      const reading = await readComparison(compared, asked.signal);
      if (!asked.signal.aborted) this.found.set(reading);
    } catch (error) {
      if (asked.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.problem.set(error.message);
    }
  }
}
