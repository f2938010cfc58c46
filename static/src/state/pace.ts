/** How often what streams in is shown. */

/** Layers that are drawn one by one take the time of those that are still computed, wherever both run on one machine. */
const LEAST_MS = 200;

/** Shows at once what somebody waits for, and more of the same a few times a second; the last of it is never lost. */
export class Pace {
  #shown_ms = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly show: () => void) {}

  now(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#shown_ms = performance.now();
    this.show();
  }

  soon(): void {
    if (this.#timer !== undefined) return;
    const rest_ms = this.#shown_ms + LEAST_MS - performance.now();
    if (rest_ms <= 0) this.now();
    else this.#timer = setTimeout(() => this.now(), rest_ms);
  }
}
