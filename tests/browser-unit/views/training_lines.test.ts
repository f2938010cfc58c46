import { expect, test } from "vitest";
import { Store } from "../../../static/src/state/store";
import { EMPTY_TRAINING, foldTraining } from "../../../static/src/state/training";
import type { Overlay, TrainingPage } from "../../../static/src/state/training_page";
import { linesOf } from "../../../static/src/views/training/lines";
import { evaluatedEvent, progressEvent, snapshotEvent, trainingEvent } from "../made_training";

const TOLD = [trainingEvent(), evaluatedEvent(0, 5), snapshotEvent(0), progressEvent(1, 20), evaluatedEvent(20, 2), snapshotEvent(20)];
const training = TOLD.reduce(foldTraining, EMPTY_TRAINING);

function page(overlays: Overlay[] = []): TrainingPage {
  return {
    training: new Store(training),
    head: new Store({ site: "decoder.self.0", head: 1 }),
    overlays: new Store(overlays),
  } as unknown as TrainingPage;
}

test("the loss is drawn of training and of tests, and nothing but the first is smoothed", () => {
  const [own, heldOut] = linesOf("loss", page(), { smoothing: 0.9 });
  expect(Array.from(own?.y ?? [])[19]).toBeLessThan(20);
  expect(Array.from(heldOut?.y ?? [])).toEqual([5, 2]);
  expect(own?.dash).not.toBe(heldOut?.dash);
});

test("another training lies beneath under its own name and in its own colour", () => {
  const record = { id: "abcdefgh", plan: { assignment: "copy" } } as Overlay["record"];
  const lines = linesOf("loss", page([{ record, training }]), { smoothing: 0 });
  expect(lines).toHaveLength(4);
  expect(lines[0]?.name).toContain("abcd");
  expect(lines[0]?.colour).not.toBe(lines[2]?.colour);
});

test("entropy has a line for each layer that was measured, a head one for each of its measures", () => {
  expect(linesOf("entropy", page(), { smoothing: 0 }).map(({ name }) => name)).toEqual(["L0", "L1"]);
  expect(linesOf("head", page(), { smoothing: 0 }).map(({ x }) => Array.from(x))).toEqual([[0, 20]]);
});
