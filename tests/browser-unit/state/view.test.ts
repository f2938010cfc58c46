import { expect, test, vi } from "vitest";
import { DEFAULT_VIEW, openView, readView, type View, writeView } from "../../../static/src/state/view";

const full: View = {
  site: "decoder.cross.3",
  head: 7,
  token: { sequence: "encoder", index: 12 },
  key: 5,
  drawing: "links",
  reading: "gradient.31",
  scale: "log",
  sink: true,
  mass: 0.9,
  frame: { row: 10.5, col: 0, cell_px: 3.25 },
  picked: [
    { site: "decoder.self.0", head: 3 },
    { site: "decoder.cross.11", head: 0 },
  ],
  sort: "induction",
  find: "first token",
  most: 12,
  words: true,
  step: 17,
  with: "k3v5",
  pairs: "decoder.3.4,encoder.0.1",
};

function fakeWindow(address: string) {
  const listeners: (() => void)[] = [];
  const entries = [new URL(address, "http://host")];
  const window = {
    location: entries[0],
    addEventListener: (_: string, listener: () => void) => listeners.push(listener),
    history: {
      pushState: (_: unknown, __: string, to: string) => entries.push((window.location = new URL(to, "http://host"))),
      replaceState: (_: unknown, __: string, to: string) =>
        entries.splice(-1, 1, (window.location = new URL(to, "http://host"))),
    },
  };
  const back = () => {
    entries.pop();
    window.location = entries.at(-1) as URL;
    for (const listener of listeners) listener();
  };
  return { window: window as unknown as Window, entries, back };
}

test("a view survives its way through an address", () => {
  expect(readView(writeView(full))).toEqual(full);
});

test("the default view leaves the address bare", () => {
  expect(writeView(DEFAULT_VIEW)).toBe("");
  expect(readView("")).toEqual(DEFAULT_VIEW);
});

test.each(["?site=<script>&head=-1", "?token=decoder.x&at=1_2", "?scale=cubic&at=a_b_c", "?head=99999999&at=-1_0_5"])(
  "nonsense in an address (%s) is the default",
  (search) => {
    expect(readView(search)).toEqual(DEFAULT_VIEW);
  },
);

test("another head is a step that back undoes; a zoom is not", () => {
  const { window, entries, back } = fakeWindow("/runs/r1?site=decoder.self.0&head=1");
  const { view } = openView(window);
  view.set({ ...view.value, head: 2 });
  view.set({ ...view.value, frame: { row: 0, col: 0, cell_px: 9 } });
  expect(entries).toHaveLength(2);
  back();
  expect(view.value).toMatchObject({ site: "decoder.self.0", head: 1, frame: null });
  expect(entries).toHaveLength(1);
});

test("another order of the grid is a step; letters typed into its search are not", () => {
  const { window, entries, back } = fakeWindow("/runs/r1");
  const { view } = openView(window);
  view.set({ ...view.value, find: "ind" });
  view.set({ ...view.value, sort: "induction" });
  expect(entries).toHaveLength(2);
  back();
  expect(view.value.sort).toBe("layer");
});

test("another run is one step, with its own view", () => {
  const { window, entries, back } = fakeWindow("/runs/r1?site=decoder.self.0&head=1&token=decoder.4");
  const { view, enter } = openView(window);
  enter("/runs/r2", { ...view.value, token: null });
  expect(entries).toHaveLength(2);
  expect(entries[1]?.pathname + (entries[1]?.search ?? "")).toBe("/runs/r2?site=decoder.self.0&head=1");
  back();
  expect(view.value.token).toEqual({ sequence: "decoder", index: 4 });
});

test("many movements change the address once, when they rest", () => {
  vi.useFakeTimers();
  const { window } = fakeWindow("/runs/r1");
  const { view } = openView(window);
  const replace = vi.spyOn(window.history, "replaceState");
  for (let row = 1; row <= 50; row++) view.set({ ...view.value, frame: { row, col: 0, cell_px: 9 } });
  vi.runAllTimers();
  vi.useRealTimers();
  expect(replace).toHaveBeenCalledTimes(1);
  expect(window.location.search).toContain("at=50.0");
});
