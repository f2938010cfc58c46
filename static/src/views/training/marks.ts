/** When heads became what they are, worked out again with each snapshot, and in words. */
import { atMostEvery } from "../../dom/schedule";
import { say } from "../../language/say";
import { labelTitle, MEASURES } from "../../state/labels";
import { headTag } from "../../state/sites";
import { Store } from "../../state/store";
import { type Jump, jumpsOf } from "../../state/training_jumps";
import type { TrainingPage } from "../../state/training_page";

export type JumpMarks = Store<readonly Jump[]>;

const AGAIN_MS = 500;
const MOST_NAMED = 4;

export function openMarks(page: TrainingPage): JumpMarks {
  const marks: JumpMarks = new Store<readonly Jump[]>([]);
  let read: unknown = null;
  const work = atMostEvery(AGAIN_MS, () => {
    const { snapshots } = page.training.value;
    if (snapshots === read) return;
    read = snapshots;
    marks.set(jumpsOf(snapshots));
  });
  page.training.subscribe(work);
  return marks;
}

export function jumpInWords({ step, kind, name, heads }: Jump): string {
  const more = heads.length > MOST_NAMED ? " …" : "";
  const values = { step, heads: heads.slice(0, MOST_NAMED).map(headTag).join(", ") + more };
  if (kind === "label") return say("Step {step}: {label} appears, {heads}", { ...values, label: labelTitle(name) });
  const measure = MEASURES.find((known) => known.name === name)?.title ?? name;
  return say("Step {step}: {measure} leaps, {heads}", { ...values, measure });
}
