/**
 * The library as its page has it: the models, what is on its way, and what of that this tab is sending.
 *
 * The server is asked again while something moves. An upload outlives the tab: dropping the same files once more goes
 * on with it.
 */
import { Store } from "./store";
import { tryTo } from "./trying";
import type { Brought, Picked } from "./dropped";
import { say } from "../language/say";
import { ApiError, createRun, listModels, type Model } from "../wire/http";
import {
  type Arrival,
  cancelArrival,
  changeModel,
  declareArrival,
  downloadAddress,
  importModel,
  type ModelChange,
  type Quota,
  readLibrary,
  readRemoval,
  type Removal,
  removeModel,
} from "../wire/library";
import { type FileSending, sendFile } from "../wire/upload";

export type { Arrival, Model, ModelChange, Quota, Removal };
export { downloadAddress };

const ASK_MOVING_MS = 700;
const ASK_RESTING_MS = 15_000;
const AT_ONCE = 2;

/** What this tab does for an upload. */
export interface Sending {
  state: "sending" | "paused" | "broken";
  sentBytes: number;
  /** Of the last few seconds; null before the first. */
  bytesPerSecond: number | null;
  message: string | null;
}

export class LibraryPage {
  readonly models = new Store<readonly Model[] | null>(null);
  readonly arrivals = new Store<readonly Arrival[]>([]);
  readonly quota = new Store<Quota | null>(null);
  readonly hub = new Store<string | null>(null);
  readonly problem = new Store<ApiError | null>(null);
  readonly sendings = new Store<ReadonlyMap<string, Sending>>(new Map());
  readonly search = new Store("");
  /** Weights that came without a config.json, and wait for the model to be named that they are built like. */
  readonly alone = new Store<Picked | null>(null);
  readonly #senders = new Map<string, Sender>();
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly window: Window) {}

  start(): void {
    void this.#ask(true);
    this.window.addEventListener("online", () => this.#senders.forEach((sender) => sender.goOn()));
  }

  /** What the search leaves, the newest first; words may stand anywhere in what a card says. */
  get found(): Model[] {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const said = (model: Model) =>
      [model.name, model.family, model.architecture, model.owner, model.sentence, model.dtype].join(" ").toLowerCase();
    return (this.models.value ?? []).filter((model) => words.every((word) => said(model).includes(word))).reverse();
  }

  /** Begins a new upload, or goes on with one of the same files. Weights alone first need `like`, a model's id. */
  async bring(picked: Picked, like: string | null = null): Promise<void> {
    this.problem.set(null);
    this.alone.set(null);
    if (picked.files.length === 0) {
      const message = say("There is no model in this. Bring a folder with config.json and weights, or a zip of one.");
      this.problem.set(new ApiError(message, "no_model", 0, "files"));
      return;
    }
    const begun = this.arrivals.value.find((arrival) => isOf(arrival, picked.files));
    if (picked.isWeightsAlone && !like && !begun) {
      this.alone.set(picked);
      return;
    }
    await tryTo(this.problem, async () => {
      const files = picked.files.map(({ name, file }) => ({ name, size_bytes: file.size }));
      const arrival = begun ?? (await declareArrival(picked.title, files, like));
      this.#send(arrival, picked.files);
      await this.#ask();
    });
  }

  pause(id: string): void {
    this.#senders.get(id)?.pause();
  }

  /** False where this tab does not have the files. */
  goOn(id: string): boolean {
    const sender = this.#senders.get(id);
    sender?.goOn();
    return sender !== undefined;
  }

  async cancel(id: string): Promise<void> {
    this.#senders.get(id)?.stop();
    this.#senders.delete(id);
    await tryTo(this.problem, async () => {
      await cancelArrival(id);
      await this.#ask();
    });
  }

  async import(source: string, token: string): Promise<boolean> {
    this.problem.set(null);
    let began = false;
    await tryTo(this.problem, async () => {
      await importModel(source, token);
      began = true;
      await this.#ask();
    });
    return began;
  }

  /** Null where it was done, else what was wrong. */
  async change(id: string, change: ModelChange): Promise<ApiError | null> {
    const problem = new Store<ApiError | null>(null);
    await tryTo(problem, async () => {
      const changed = await changeModel(id, change);
      this.models.update((models) => models?.map((model) => (model.id === id ? changed : model)) ?? null);
    });
    return problem.value;
  }

  readRemoval(id: string): Promise<Removal> {
    return readRemoval(id);
  }

  async remove(id: string): Promise<ApiError | null> {
    const problem = new Store<ApiError | null>(null);
    await tryTo(problem, async () => {
      await removeModel(id);
      await this.#ask(true);
    });
    return problem.value;
  }

  /** Has the model read a text, and opens what it sees. */
  async read(model: string, text: string): Promise<ApiError | null> {
    const problem = new Store<ApiError | null>(null);
    await tryTo(problem, async () => this.window.location.assign((await createRun({ kind: "trace", model, text })).page));
    return problem.value;
  }

  async #ask(withModels = false): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    await tryTo(this.problem, async () => {
      const before = this.arrivals.value;
      const { arrivals, quota, hub } = await readLibrary();
      const isNew = arrivals.some(({ id, model }) => model && before.find((one) => one.id === id)?.model !== model);
      if (withModels || isNew || this.models.value === null) this.models.set((await listModels()).models);
      this.arrivals.set(arrivals);
      this.quota.set(quota);
      this.hub.set(hub);
    });
    const moves = this.arrivals.value.some(({ state }) => state !== "ready" && state !== "refused");
    this.#timer = setTimeout(() => void this.#ask(), moves ? ASK_MOVING_MS : ASK_RESTING_MS);
  }

  #send(arrival: Arrival, brought: readonly Brought[]): void {
    this.#senders.get(arrival.id)?.stop();
    const files = new Map(brought.map(({ name, file }) => [name, file]));
    const sender = new Sender(arrival, files, (sending) => {
      this.sendings.update((sendings) => {
        const next = new Map(sendings);
        if (sending) next.set(arrival.id, sending);
        else next.delete(arrival.id);
        return next;
      });
      if (!sending) {
        this.#senders.delete(arrival.id);
        void this.#ask();
      }
    });
    this.#senders.set(arrival.id, sender);
    sender.goOn();
  }
}

/** Whether an upload is of these files: by names and lengths, which is all that a page can know again after a reload. */
function isOf(arrival: Arrival, files: readonly Brought[]): boolean {
  if (arrival.state !== "uploading" || arrival.files.length !== files.length) return false;
  const sizes = new Map(arrival.files.map(({ name, size_bytes }) => [name, size_bytes]));
  return files.every(({ name, file }) => sizes.get(name) === file.size);
}

/** Sends the files of one upload, the shortest first, two at a time. */
class Sender {
  readonly #sent = new Map<string, number>();
  readonly #under = new Map<string, FileSending>();
  readonly #marks: { at: number; bytes: number }[] = [];
  #state: Sending["state"] = "paused";
  #message: string | null = null;

  constructor(
    private readonly arrival: Arrival,
    private readonly files: ReadonlyMap<string, File>,
    private readonly tell: (sending: Sending | null) => void,
  ) {
    for (const file of arrival.files) this.#sent.set(file.id, file.arrived_bytes);
  }

  goOn(): void {
    if (this.#state === "sending") return;
    this.#state = "sending";
    this.#message = null;
    this.#marks.length = 0;
    this.#next();
  }

  pause(): void {
    this.#halt("paused", null);
  }

  stop(): void {
    this.#halt("paused", null);
    this.tell(null);
  }

  #halt(state: Sending["state"], message: string | null): void {
    this.#state = state;
    this.#message = message;
    for (const sending of this.#under.values()) sending.pause();
    this.#under.clear();
    this.#say();
  }

  #next(): void {
    const waiting = this.arrival.files
      .filter(({ id, size_bytes }) => this.#sent.get(id) !== size_bytes && !this.#under.has(id))
      .sort((a, b) => a.size_bytes - b.size_bytes);
    for (const { id, name, address, size_bytes } of waiting.slice(0, AT_ONCE - this.#under.size)) {
      const file = this.files.get(name);
      if (!file) continue;
      const listener = {
        progress: (bytes: number) => {
          // The last byte is there when the server says so.
          this.#sent.set(id, Math.min(bytes, size_bytes - 1));
          this.#say();
        },
        done: () => {
          this.#sent.set(id, size_bytes);
          this.#under.delete(id);
          this.#next();
        },
        broke: (message: string) => this.#halt("broken", message),
      };
      this.#under.set(id, sendFile(file, address, listener));
    }
    if (this.#under.size === 0) this.tell(null);
    else this.#say();
  }

  #say(): void {
    const sentBytes = [...this.#sent.values()].reduce((sum, bytes) => sum + bytes, 0);
    const now = performance.now();
    this.#marks.push({ at: now, bytes: sentBytes });
    while (this.#marks.length > 2 && now - this.#marks[0]!.at > 4_000) this.#marks.shift();
    const first = this.#marks[0]!;
    const seconds = (now - first.at) / 1000;
    const bytesPerSecond = this.#state === "sending" && seconds > 0.5 ? (sentBytes - first.bytes) / seconds : null;
    this.tell({ state: this.#state, sentBytes, bytesPerSecond, message: this.#message });
  }
}
