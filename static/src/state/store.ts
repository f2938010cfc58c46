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

/** A store that follows others. It changes only when what `compute` gives differs, field by field. */
export function derive<T>(
  stores: readonly { subscribe(listener: () => void): Unsubscribe }[],
  compute: () => T,
): Store<T> {
  const derived = new Store(compute());
  watch(stores, () => {
    const next = compute();
    if (!sameFields(derived.value, next)) derived.set(next);
  });
  return derived;
}

function sameFields(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [fields, others] = [Object.entries(a), Object.entries(b)];
  return (
    fields.length === others.length &&
    fields.every(([name, value]) => Object.is(value, (b as Record<string, unknown>)[name]))
  );
}
