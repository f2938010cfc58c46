/** When heads become what they are: the snapshot from which a label stays, or in which a measure leaps and stays up. */
import { measureOf } from "./run";
import { siteOf, sitesOf } from "./training_snapshot";
import type { HeadRef } from "./sites";
import type { Snapshot } from "../wire/messages";

export interface Jump {
  step: number;
  /** A label that appears, or a measure that leaps. */
  kind: "label" | "measure";
  name: string;
  heads: HeadRef[];
}

/** These say that nothing in particular is done. */
const NOTHING = new Set(["unclear", "broad"]);
const LEAPING = ["induction", "previous_token", "duplicate_token", "diagonal", "first_token"];
const LEAST_LEAP = 0.3;
/** What one snapshot shows alone may be gone in the next. */
const LEAST_SNAPSHOTS = 2;

/** In the order of steps; what was there from the first snapshot on did not appear. Cost: reads all snapshots. */
export function jumpsOf(snapshots: readonly Snapshot[]): Jump[] {
  const last = snapshots.at(-1);
  if (!last || snapshots.length < LEAST_SNAPSHOTS + 1) return [];
  const found = new Map<string, Jump>();
  const add = (step: number, kind: Jump["kind"], name: string, head: HeadRef) => {
    const key = `${step} ${kind} ${name}`;
    const jump = found.get(key) ?? { step, kind, name, heads: [] };
    jump.heads.push(head);
    found.set(key, jump);
  };
  for (const { site, heads } of sitesOf(last)) {
    for (let head = 0; head < heads; head++) {
      const ref = { site, head };
      const label = labelThatStays(snapshots, ref);
      if (label) {
        add(label.step, "label", label.name, ref);
        continue;
      }
      for (const name of LEAPING) {
        const step = stepOfLeap(snapshots, ref, name);
        if (step !== null) add(step, "measure", name, ref);
      }
    }
  }
  return [...found.values()].sort((a, b) => a.step - b.step);
}

function labelThatStays(snapshots: readonly Snapshot[], ref: HeadRef): { step: number; name: string } | null {
  const labelAt = (place: number) => siteOf(snapshots[place] as Snapshot, ref.site)?.labels?.[ref.head];
  const name = labelAt(snapshots.length - 1);
  if (!name || NOTHING.has(name)) return null;
  let first = snapshots.length - 1;
  while (first > 0 && labelAt(first - 1) === name) first--;
  if (first === 0 || snapshots.length - first < LEAST_SNAPSHOTS) return null;
  return { step: (snapshots[first] as Snapshot).step, name };
}

/** The largest rise from one snapshot to the next, if it is a leap and half of it was never lost again. */
function stepOfLeap(snapshots: readonly Snapshot[], { site, head }: HeadRef, name: string): number | null {
  const values = snapshots.map((snapshot) => {
    const told = siteOf(snapshot, site);
    return told && told.kind === "self" ? (measureOf(told, head, name) ?? 0) : 0;
  });
  let [leap, place] = [0, 0];
  for (let index = 1; index < values.length; index++) {
    const rise = (values[index] ?? 0) - (values[index - 1] ?? 0);
    if (rise > leap) [leap, place] = [rise, index];
  }
  if (leap < LEAST_LEAP || values.length - place < LEAST_SNAPSHOTS) return null;
  const half = (values[place - 1] ?? 0) + leap / 2;
  return values.slice(place).every((value) => value >= half) ? (snapshots[place] as Snapshot).step : null;
}
