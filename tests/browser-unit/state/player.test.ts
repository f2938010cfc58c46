import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Player } from "../../../static/src/state/player";
import { fold, queuedRun, type Run } from "../../../static/src/state/run";
import { Store } from "../../../static/src/state/store";
import { DEFAULT_VIEW, type View } from "../../../static/src/state/view";
import { startedEvent, tokensEvent } from "../made";
import { stepEvent } from "./written";

const REQUEST = { id: "r1", kind: "generate", model: "quill", text: "a", target: null, text_pair: null } as const;
const BEGUN = [startedEvent(), tokensEvent(["a"])].reduce(fold, queuedRun(REQUEST));

function written(count: number, hasEnded = false): Run {
  const run = Array.from({ length: count }, (_, at) => stepEvent(1 + at)).reduce(fold, BEGUN);
  return hasEnded ? { ...run, phase: "finished" } : run;
}

function open(view: Partial<View> = {}): { player: Player; view: Store<View> } {
  const store = new Store<View>({ ...DEFAULT_VIEW, ...view });
  const player = new Player(store);
  player.open();
  return { player, view: store };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("the first token is shown at once, later ones together as time allows, and none is lost", () => {
  const { player } = open();
  player.follow(written(1));
  expect(player.shown.value).toBe(1);
  player.follow(written(2));
  player.follow(written(3));
  expect(player.shown.value).toBe(1);
  vi.advanceTimersByTime(100);
  expect(player.shown.value).toBe(3);
});

test("pausing stops what is shown, not what arrives, and stands in the address", () => {
  const { player, view } = open();
  player.follow(written(1));
  player.pause();
  player.follow(written(9));
  vi.advanceTimersByTime(1000);
  expect([player.shown.value, player.arrived, player.isPlaying.value, view.value.step]).toEqual([1, 9, false, 1]);
});

test("a step on or back rests there, and no step leaves what has been written", () => {
  const { player, view } = open();
  player.follow(written(5));
  player.seek(player.shown.value - 1);
  expect([player.shown.value, view.value.step]).toEqual([4, 4]);
  player.seek(99);
  expect(player.shown.value).toBe(5);
  player.seek(-3);
  expect(player.shown.value).toBe(1);
});

test("playing on catches up with what came meanwhile, and the address names no step any more", () => {
  const { player, view } = open();
  player.follow(written(1));
  player.pause();
  player.follow(written(6));
  player.play();
  vi.advanceTimersByTime(100);
  expect([player.shown.value, view.value.step]).toEqual([6, null]);
});

test("at a speed tokens come one by one, and playing ends with the text", () => {
  const { player } = open();
  player.speed.set(10);
  player.follow(written(4, true));
  expect(player.shown.value).toBe(1);
  vi.advanceTimersByTime(150);
  expect(player.shown.value).toBe(2);
  vi.advanceTimersByTime(1000);
  expect([player.shown.value, player.isPlaying.value]).toEqual([4, false]);
});

test("a finished text is played again from its first token, token by token", () => {
  const { player } = open();
  player.follow(written(5, true));
  expect([player.shown.value, player.isPlaying.value]).toEqual([5, false]);
  player.play();
  expect(player.shown.value).toBe(1);
  vi.advanceTimersByTime(250);
  expect(player.shown.value).toBe(3);
});

test("an address that names a step opens there, as soon as that token has come", () => {
  const { player } = open({ step: 3 });
  player.follow(written(2));
  expect([player.shown.value, player.isPlaying.value]).toEqual([2, false]);
  player.follow(written(7, true));
  expect(player.shown.value).toBe(3);
});

test("going back in the browser's history goes back to the step that was shown", () => {
  const { player, view } = open();
  player.follow(written(7, true));
  view.update((now) => ({ ...now, step: 2 }));
  expect(player.shown.value).toBe(2);
  view.update((now) => ({ ...now, step: null }));
  expect(player.shown.value).toBe(7);
});
