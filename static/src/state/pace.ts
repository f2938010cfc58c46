/** How often what streams in is shown. */

/** Drawing takes from whatever else this machine does, and with them from the layers that are still computed. */
const SHARE_OF_TIME = 1 / 4;
const LEAST_MS = 50;
const MOST_MS = 500;
const UNKNOWN_MS = 200;

/**
 * Shows at once what somebody waits for, and more of the same as often as showing it is cheap: a frame takes 2 ms where
 * there is a GPU, and 100 ms of all cores where there is none. The last of it is never lost.
 */
export class Pace {
  #shown_ms = Number.NEGATIVE_INFINITY;
  #rest_ms = UNKNOWN_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly show: () => void,
    private readonly frames: Pick<Window, "requestAnimationFrame">,
  ) {}

  now(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const began_ms = performance.now();
    this.#shown_ms = began_ms;
    this.show();
    // The frame that shows it is over when the one after it begins.
    this.frames.requestAnimationFrame(() => {
      this.frames.requestAnimationFrame(() => {
        const cost_ms = performance.now() - began_ms;
        this.#rest_ms = Math.min(MOST_MS, Math.max(LEAST_MS, cost_ms / SHARE_OF_TIME));
      });
    });
  }

  /** Shows it, and waits until it is on the screen: work before the next frame begins would hold back this one. */
  seen(): Promise<void> {
    this.now();
    const { frames } = this;
    return new Promise((seen) => frames.requestAnimationFrame(() => frames.requestAnimationFrame(() => setTimeout(seen))));
  }

  soon(): void {
    if (this.#timer !== undefined) return;
    const rest_ms = this.#shown_ms + this.#rest_ms - performance.now();
    if (rest_ms <= 0) this.now();
    else this.#timer = setTimeout(() => this.now(), rest_ms);
  }

  /** What is shown stays for so long, unless something comes that is to be shown at once. */
  within(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(), ms);
  }
}
