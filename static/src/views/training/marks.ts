/** When heads became what they are, worked out again with each snapshot, and in words. */
import { atMostEvery } from "../../dom/schedule";
import { say } from "../../language/say";
import { labelTitle, MEASURES } from "../../state/labels";
import { type HeadRef, headTag, kindTag } from "../../state/sites";
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
  const values = { step, heads: heads.slice(0, MOST_NAMED).map(tagOf).join(", ") + more };
  if (kind === "label") return say("Step {step}: {label} appears, {heads}", { ...values, label: labelTitle(name) });
  const measure = MEASURES.find((known) => known.name === name)?.title ?? name;
  return say("Step {step}: {measure} leaps, {heads}", { ...values, measure });
}

/** The step in which it happened, and the first of its heads. */
export function showJump(page: TrainingPage, { step, heads }: Jump): void {
  page.play(false);
  page.show(step);
  if (heads[0]) page.head.set(heads[0]);
}

/** Of a decoder's own heads the tag alone. */
function tagOf(head: HeadRef): string {
  return head.site.startsWith("decoder.self") ? headTag(head) : `${kindTag(head.site)} ${headTag(head)}`;
}
