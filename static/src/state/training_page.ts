/** The training page's state and what a person can do to it; only this file opens a training's stream and steers it. */
import type { HeadRef } from "./sites";
import { Store } from "./store";
import { EMPTY_TRAINING, foldTraining, isUnderWay, snapshotAt, snapshotIndex, type TrainingState } from "./training";
import { sitesOf } from "./training_snapshot";
import { ApiError, cancelRun, createRun, listModels, type RunOrder } from "../wire/http";
import { ENDINGS, type RunEvent, type Snapshot, type Tokens } from "../wire/messages";
import { type Connection, openRunSocket, type RunSocket, socketAddress } from "../wire/socket";
import { goOnWithTraining, listTrainings, type Order, readTraining, steerTraining, type TrainingRecord } from "../wire/trainings";

export type { Connection } from "../wire/socket";
export type { TrainingRecord } from "../wire/trainings";

/** Another training, drawn beneath this one. */
export interface Overlay {
  record: TrainingRecord;
  training: TrainingState;
}

export type Asked = Order["action"] | "cancel" | "open" | "go on with";

const ASK_AGAIN_MS = 2_000;
const PLAY_MS = 250;
/** As many as there are colours beside this training's own. */
export const MOST_OVERLAYS = 5;

export class TrainingPage {
  readonly training = new Store<TrainingState>(EMPTY_TRAINING);
  readonly record = new Store<TrainingRecord | null>(null);
  readonly connection = new Store<Connection | null>(null);
  /** The step that all panels show; null follows the newest snapshot. */
  readonly chosenStep: Store<number | null>;
  readonly shown = new Store<Snapshot | null>(null);
  readonly head = new Store<HeadRef | null>(null);
  readonly playing = new Store(false);
  readonly overlays = new Store<readonly Overlay[]>([]);
  readonly others = new Store<readonly TrainingRecord[]>([]);
  /** What was asked for and not told of yet. */
  readonly asked = new Store<Asked | null>(null);
  readonly problem = new Store<ApiError | null>(null);

  #socket: RunSocket | null = null;
  readonly #overlaySockets = new Map<string, RunSocket>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly window: Window,
    readonly id: string,
  ) {
    const query = new URLSearchParams(window.location.search);
    const step = query.get("step");
    this.chosenStep = new Store(step !== null && /^\d{1,7}$/.test(step) ? Number(step) : null);
    this.head.set(headFrom(query.get("head")));
    this.training.subscribe(() => this.#show());
    this.chosenStep.subscribe(() => this.#show());
    for (const store of [this.chosenStep, this.head]) store.subscribe(() => this.#writeAddress());
    window.addEventListener("online", () => this.#socket?.retry());
  }

  start(): void {
    this.#socket = openRunSocket({
      address: socketAddress(this.window.location, `/ws/runs/${this.id}`),
      onEvent: (event) => this.#receive(event),
      onConnection: (connection) => this.connection.set(connection),
    });
    void this.#ask();
    void this.#listOthers();
  }

  /** Moves every panel to a step; to the newest one follows from there on. */
  show(step: number): void {
    const { snapshots } = this.training.value;
    const isNewest = step >= (snapshots.at(-1)?.step ?? 0) && isUnderWay(this.training.value);
    this.chosenStep.set(isNewest ? null : (snapshotAt(snapshots, step)?.step ?? step));
  }

  showNewest(): void {
    this.chosenStep.set(null);
  }

  /** To the snapshot so many places on. */
  move(places: number): void {
    const { snapshots } = this.training.value;
    const from = snapshotIndex(snapshots, this.shown.value?.step ?? 0);
    const next = snapshots[Math.min(snapshots.length - 1, Math.max(0, from + places))];
    if (next) this.show(next.step);
  }

  play(on: boolean): void {
    clearInterval(this.#timer);
    this.playing.set(on);
    if (!on) return;
    const { snapshots } = this.training.value;
    if (this.shown.value === snapshots.at(-1) && snapshots[0]) this.show(snapshots[0].step);
    this.#timer = setInterval(() => {
      this.move(1);
      const isLast = this.shown.value === this.training.value.snapshots.at(-1);
      if (isLast) this.play(false);
    }, PLAY_MS);
  }

  async order(order: Order): Promise<void> {
    await this.#act(order.action, async () => this.record.set(await steerTraining(this.id, order)));
  }

  async cancel(): Promise<void> {
    await this.#act("cancel", () => cancelRun(this.id));
    void this.#ask();
  }

  /** From the last checkpoint, as a training of its own; its rate is times what it was. */
  async goOnWith(times: number): Promise<void> {
    await this.#act("go on with", async () => {
      const rate = times === 1 ? null : times * this.training.value.rate_factor;
      this.window.location.assign((await goOnWithTraining(this.id, rate)).page);
    });
    this.asked.set(null);
  }

  /** Reads the probe text, or the probe picture, with the finished model, in the explorer. */
  async openInExplorer(): Promise<void> {
    await this.#act("open", async () => {
      const { model } = await readTraining(this.id);
      const { encoder, decoder } = this.training.value.sequences;
      if (!model) return;
      // A picture was never told: it lies with the model.
      const picture = (await listModels()).models.find(({ id }) => id === model)?.examples[0]?.picture;
      const run = await createRun({ kind: "trace", model, ...(picture ? { picture } : probeOrder(encoder, decoder)) });
      this.window.location.assign(run.page);
    });
    this.asked.set(null);
  }

  async overlay(id: string): Promise<void> {
    if (this.overlays.value.some(({ record }) => record.id === id)) return this.#removeOverlay(id);
    const record = this.others.value.find((other) => other.id === id);
    if (!record || this.overlays.value.length >= MOST_OVERLAYS) return;
    this.overlays.update((shown) => [...shown, { record, training: EMPTY_TRAINING }]);
    const receive = (event: RunEvent) =>
      this.overlays.update((shown) =>
        shown.map((one) => (one.record.id === id ? { ...one, training: foldTraining(one.training, event) } : one)),
      );
    this.#overlaySockets.set(
      id,
      openRunSocket({ address: socketAddress(this.window.location, record.socket), onEvent: receive, onConnection: () => {} }),
    );
  }

  #removeOverlay(id: string): void {
    this.#overlaySockets.get(id)?.close();
    this.#overlaySockets.delete(id);
    this.overlays.update((shown) => shown.filter(({ record }) => record.id !== id));
  }

  #receive(event: RunEvent): void {
    this.training.update((training) => foldTraining(training, event));
    if (event.type === "steered" || ENDINGS.has(event.type)) this.asked.set(null);
    if (event.type === "started" || event.type === "finished" || event.type === "failed") void this.#ask();
  }

  #show(): void {
    const { snapshots } = this.training.value;
    const step = this.chosenStep.value;
    const shown = step === null ? (snapshots.at(-1) ?? null) : snapshotAt(snapshots, step);
    this.shown.set(shown);
    const site = shown && sitesOf(shown)[0];
    if (site && this.head.value === null) this.head.set({ site: site.site, head: 0 });
  }

  /** While it waits again and again: its place, whether anybody trains; and once it ended until its model is known. */
  async #ask(): Promise<void> {
    try {
      const record = await readTraining(this.id);
      this.record.set(record);
      const waitsForModel = this.training.value.phase === "finished" && record.model === null;
      // A training that was stopped while it waited sends no frame at all.
      if (record.state === "cancelled" && this.training.value.phase === "queued") {
        this.asked.set(null);
        this.training.update((training) => ({ ...training, phase: "cancelled" }));
      }
      if (this.training.value.phase === "queued" || waitsForModel) setTimeout(() => void this.#ask(), ASK_AGAIN_MS);
    } catch (error) {
      this.#explain(error);
    }
  }

  async #listOthers(): Promise<void> {
    try {
      this.others.set((await listTrainings()).filter(({ id }) => id !== this.id));
      await this.#overlayWhatItGoesOnFrom();
    } catch (error) {
      this.#explain(error);
    }
  }

  /** The curve begins where that one's checkpoint was saved: both together are the whole of it. */
  async #overlayWhatItGoesOnFrom(): Promise<void> {
    const { goes_on_from } = await readTraining(this.id);
    if (goes_on_from !== null) await this.overlay(goes_on_from);
  }

  async #act(action: Asked, act: () => Promise<unknown>): Promise<void> {
    this.problem.set(null);
    this.asked.set(action);
    try {
      await act();
    } catch (error) {
      this.asked.set(null);
      this.#explain(error);
    }
  }

  #explain(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    this.problem.set(error);
  }

  #writeAddress(): void {
    const query = new URLSearchParams(this.window.location.search);
    const [step, head] = [this.chosenStep.value, this.head.value];
    if (step === null) query.delete("step");
    else query.set("step", String(step));
    if (head) query.set("head", `${head.site}.${head.head}`);
    const text = query.toString();
    const { pathname } = this.window.location;
    this.window.history.replaceState(null, "", text ? `${pathname}?${text}` : pathname);
  }
}

function headFrom(written: string | null): HeadRef | null {
  const parts = /^((?:encoder|decoder)\.(?:self|cross)\.\d{1,4})\.(\d{1,4})$/.exec(written ?? "");
  return parts ? { site: parts[1] as string, head: Number(parts[2]) } : null;
}

/** The text itself where its tokens are whole letters, else the tokens. */
function probeOrder(encoder: Tokens | undefined, decoder: Tokens | undefined): Partial<RunOrder> {
  const ids = (tokens: Tokens) => [...tokens.arrays.ids.values];
  if (encoder) return { ...textOrIds(encoder), ...(decoder ? { target_ids: ids(decoder) } : {}) };
  return decoder ? textOrIds(decoder) : {};
}

function textOrIds(tokens: Tokens): Partial<RunOrder> {
  const text = tokens.texts.filter((_, place) => !tokens.special[place]).join("");
  return text.includes("\ufffd") ? { ids: [...tokens.arrays.ids.values] } : { text };
}
