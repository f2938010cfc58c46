/**
 * Plays a run that writes: how many of its tokens are shown. The worker writes on while the page is paused or behind;
 * what has arrived is there to be played.
 */
import { isUnderWay, type Run } from "./run";
import { Store } from "./store";
import type { View } from "./view";
import { writtenIn } from "./writing";

/** Tokens a second; 0 is as they come. */
export const SPEEDS = [0, 1, 3, 10] as const;
export type Speed = (typeof SPEEDS)[number];

/** Maps are made anew with each token shown: while tokens come fast, some are shown together. */
const TOGETHER_MS = 80;
/** Many heads of a long text take their time; the most of it belongs to whoever points and presses, and to the worker. */
const REST = 8;
/** A text that is there already is not played in one instant. */
const AGAIN_PER_S = 10;

export class Player {
  /** How many written tokens are shown. */
  readonly shown = new Store(0);
  readonly isPlaying = new Store(true);
  readonly speed = new Store<Speed>(0);
  #arrived = 0;
  #hasEnded = false;
  #isAgain = false;
  #lastMs = 0;
  /** To show the last token. */
  #took_ms = 0;
  /** The step that the address names. */
  #kept: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly view: Store<View>) {
    view.subscribe(({ step }) => {
      if (step === this.#kept) return;
      this.#kept = step;
      // Somebody else changed it: the browser's history.
      this.#halt(step ?? this.#arrived);
      if (step === null && !this.#hasEnded) this.play();
    });
    this.speed.subscribe(() => this.#next());
  }

  get arrived(): number {
    return this.#arrived;
  }

  /** Another run is shown from now on: from its beginning, or at the place that the address names. */
  open(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#arrived = 0;
    this.#hasEnded = this.#isAgain = false;
    this.#lastMs = 0;
    this.shown.set(0);
    this.#kept = this.view.value.step;
    this.isPlaying.set(this.#kept === null);
  }

  /** To be told of every change of the run. */
  follow(run: Run): void {
    this.#arrived = writtenIn(run);
    this.#hasEnded = !isUnderWay(run);
    const { step } = this.view.value;
    if (step !== null) this.shown.set(Math.min(step, this.#arrived));
    this.#next();
  }

  play(): void {
    this.#isAgain = this.#hasEnded;
    if (this.shown.value >= this.#arrived && this.#hasEnded) this.shown.set(Math.min(1, this.#arrived));
    this.isPlaying.set(true);
    this.#keep(null);
    this.#lastMs = Date.now();
    this.#next();
  }

  pause(): void {
    this.#halt(this.shown.value);
    this.#keep(this.shown.value);
  }

  /** Shows the text as it was after so many tokens, and rests there. */
  seek(step: number): void {
    const at = Math.max(Math.min(1, this.#arrived), Math.min(step, this.#arrived));
    this.#halt(at);
    this.#keep(at === this.#arrived && this.#hasEnded ? null : at);
  }

  #halt(step: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.isPlaying.set(false);
    this.shown.set(Math.min(step, this.#arrived));
  }

  #keep(step: number | null): void {
    this.#kept = step;
    this.view.update((view) => (view.step === step ? view : { ...view, step }));
  }

  #next(): void {
    if (!this.isPlaying.value) return;
    if (this.shown.value >= this.#arrived) {
      if (this.#hasEnded) this.isPlaying.set(false);
      return;
    }
    if (this.#timer !== undefined) return;
    const wait_ms = this.#lastMs + this.#pause_ms - Date.now();
    if (wait_ms <= 0) return this.#go();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#go();
    }, wait_ms);
  }

  #go(): void {
    const began = Date.now();
    this.shown.set(this.#perSecond ? this.shown.value + 1 : this.#arrived);
    this.#took_ms = Date.now() - began;
    this.#lastMs = began;
    this.#next();
  }

  get #perSecond(): number {
    return this.speed.value || (this.#isAgain ? AGAIN_PER_S : 0);
  }

  get #pause_ms(): number {
    return this.#perSecond ? 1000 / this.#perSecond : Math.max(TOGETHER_MS, REST * this.#took_ms);
  }
}
