/** A value that can be watched. Views subscribe; nothing else is hidden behind it. */
export type Unsubscribe = () => void;

export class Store<T> {
  #value: T;
  readonly #listeners = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value));
  }

  /** Calls the listener on every later change, not now. */
  subscribe(listener: (value: T) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** One listener for several stores. */
export function watch(stores: readonly { subscribe(listener: () => void): Unsubscribe }[], listener: () => void): void {
  for (const store of stores) store.subscribe(listener);
}
