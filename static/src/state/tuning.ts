/** The tuned lens of one model: asked for when somebody looks, and again and again while it is trained. */
import { ApiError } from "../wire/http";
import { type LensState, readLensState, stopLensTraining, trainLens } from "../wire/lens";
import { Store } from "./store";

export type { LensState, TunedLens } from "../wire/lens";

const ASK_AGAIN_MS = 1_000;

export interface TuningDoors {
  read: typeof readLensState;
  train: typeof trainLens;
  stop: typeof stopLensTraining;
}

export class Tuning {
  /** null: not known yet. */
  readonly state = new Store<LensState | null>(null);
  /** Why the last wish was not granted. */
  readonly problem = new Store<ApiError | null>(null);
  #model: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly doors: TuningDoors = { read: readLensState, train: trainLens, stop: stopLensTraining }) {}

  /** Which model's lens is looked at. */
  follow(model: string | null): void {
    if (model === this.#model) return;
    this.#model = model;
    clearTimeout(this.#timer);
    this.state.set(null);
    this.problem.set(null);
    if (model) void this.#ask(this.doors.read);
  }

  async train(lesson: { text: string } | { run: string }): Promise<void> {
    await this.#ask((model) => this.doors.train(model, lesson));
  }

  async stop(): Promise<void> {
    await this.#ask(this.doors.stop);
  }

  async #ask(door: (model: string) => Promise<LensState>): Promise<void> {
    const model = this.#model;
    if (!model) return;
    clearTimeout(this.#timer);
    this.problem.set(null);
    try {
      const state = await door(model);
      if (model === this.#model) this.state.set(state);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (model === this.#model) this.problem.set(error);
    }
    // A wish that came too late, or that another page had first, is answered by what there is now.
    if (model === this.#model && (isTraining(this.state.value) || (this.problem.value && door !== this.doors.read)))
      this.#timer = setTimeout(() => void this.#read(), ASK_AGAIN_MS);
  }

  /** Without forgetting why a wish was not granted. */
  async #read(): Promise<void> {
    const problem = this.problem.value;
    await this.#ask(this.doors.read);
    if (problem && !this.problem.value) this.problem.set(problem);
  }
}

export function isTraining(state: LensState | null): boolean {
  return state !== null && ["waiting", "reading", "training"].includes(state.state);
}
