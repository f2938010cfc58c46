import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Comparison } from "../../../static/src/state/compare";
import { Explorer } from "../../../static/src/state/explorer";
import { EMPTY_RUN } from "../../../static/src/state/run";
import type { SharedPage } from "../../../static/src/wire/shares";
import { siteEvent, tokensEvent } from "../made";

const A = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
const B = "bbbbbbbbbbbbbbbbbbbbbbbbbb";
const settle = () => new Promise((resolve) => setTimeout(resolve));
const site = siteEvent({ side: 3 });

function finished(id: string, texts: string[]) {
  const sites = new Map([[site.site, site]]);
  return { ...EMPTY_RUN, id, phase: "finished" as const, sequences: { decoder: tokensEvent(texts) }, sites, text: "t" };
}

const answer = {
  a: A,
  b: B,
  alignment: { decoder: [[0, 0], [2, 1]] },
  heads: [{ site: "decoder.self.0", head: 0, distance: 0.5, rows: [] }],
  sites: ["decoder.self.0"],
  rows_read: [2],
  rows_shared: [2],
};

function open(search = "", shared: SharedPage | null = null) {
  const location = new URL(`http://host/runs/${A}${search}`);
  const history = {
    pushState: (_: unknown, __: string, to: string) => (location.href = new URL(to, location).href),
    replaceState() {},
  };
  const window = { addEventListener() {}, requestAnimationFrame() {}, history, location } as unknown as Window;
  const explorer = new Explorer(window, null, shared);
  const comparison = new Comparison(explorer, window);
  return { explorer, comparison, location };
}

beforeEach(() => {
  vi.stubGlobal("WebSocket", class {
    close() {}
  });
  const reply = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });
  vi.stubGlobal("fetch", vi.fn(async (address: string) => {
    if (address.startsWith(`/api/v1/comparisons/${A}/${B}`)) return reply(answer);
    if (address.startsWith("/api/v1/comparisons/"))
      return reply({ error: { code: "no_token_in_common", message: "No token in common.", field: null } }, 422);
    if (address === "/api/v1/shares/slug/comparison") return reply({ ...answer, a: "slug", b: "second" });
    if (address.endsWith("/frames")) return new Response(new ArrayBuffer(0));
    if (address === "/api/v1/runs") return reply({ id: B, page: `/runs/${B}`, socket: `/ws/runs/${B}` });
    return reply({ id: address.split("/").at(-1), kind: "trace", model: "m", text: "t", target: null, text_pair: null });
  }));
});
afterEach(() => vi.unstubAllGlobals());

function asked(): string[] {
  return vi.mocked(fetch).mock.calls.map(([address]) => String(address)).filter((address) => address.includes("comparisons"));
}

test("the address names the second run, and a comparison is asked for once both have finished", async () => {
  const { explorer, comparison } = open(`?with=${B}`);
  expect(comparison.isOn.value).toBe(true);
  explorer.run.set(finished(A, ["a", "b", "c"]));
  await settle();
  expect(asked()).toEqual([]);
  comparison.other.set(finished(B, ["a", "c"]));
  await settle();
  expect(asked()).toEqual([`/api/v1/comparisons/${A}/${B}`]);
  expect(comparison.found.value?.heads).toHaveLength(1);
  expect(explorer.change.value?.get("decoder.self.0.0")).toBe(0.5);
});

test("what is pointed at in one run is marked in the other, as far as it has a partner", async () => {
  const { explorer, comparison } = open(`?with=${B}`);
  explorer.run.set(finished(A, ["a", "b", "c"]));
  comparison.other.set(finished(B, ["a", "c"]));
  await settle();
  expect(comparison.placesOf(site, "a", 2, 1)).toEqual({ row: { a: 2, b: 1 }, col: { a: 1, b: null } });
  expect(comparison.placesOf(site, "b", 1, 0)).toEqual({ row: { a: 2, b: 1 }, col: { a: 0, b: 0 } });
});

test("a second text is run by the same model and named in the address; leaving takes it out", async () => {
  const { explorer, comparison, location } = open();
  explorer.run.set({ ...finished(A, ["a"]), model: "m" });
  await comparison.compareText("other");
  expect(JSON.parse(String(vi.mocked(fetch).mock.calls[0]?.[1]?.body))).toMatchObject({ kind: "trace", model: "m", text: "other" });
  expect(location.search).toBe(`?with=${B}`);
  explorer.view.update((view) => ({ ...view, sort: "change" }));
  comparison.leave();
  expect(location.search).toBe("");
  expect(comparison.other.value.id).toBeNull();
});

test("swapped, the second run is the page's own and the first is named by the address", async () => {
  const { explorer, comparison, location } = open(`?with=${B}`);
  explorer.run.set(finished(A, ["a"]));
  comparison.other.set(finished(B, ["b"]));
  comparison.swap();
  expect(`${location.pathname}${location.search}`).toBe(`/runs/${B}?with=${A}`);
});

test("pairs made by hand are asked for, and the old answer stays until the new one comes", async () => {
  const { explorer, comparison } = open(`?with=${B}`);
  explorer.run.set(finished(A, ["a", "b", "c"]));
  comparison.other.set(finished(B, ["a", "c"]));
  await settle();
  explorer.view.update((view) => ({ ...view, pairs: "decoder.1.1" }));
  expect(comparison.found.value).not.toBeNull();
  await settle();
  expect(asked().at(-1)).toBe(`/api/v1/comparisons/${A}/${B}?alignment=decoder.1.1`);
});

test("runs that cannot be compared are told in the server's words", async () => {
  const { explorer, comparison } = open(`?with=${A}`);
  explorer.run.set(finished(A, ["a"]));
  comparison.other.set(finished(A, ["b"]));
  await settle();
  expect(comparison.problem.value).toBe("No token in common.");
});

test.each([
  [`https://host/runs/${B}?site=x`, true],
  [`/runs/${B}`, true],
  [B, true],
  ["some text", false],
  ["/runs/short", false],
])("%s is a link to a run: %s", (link, isOne) => {
  const { comparison, explorer } = open();
  expect(comparison.compareRun(link)).toBe(isOne);
  expect(explorer.view.value.with).toBe(isOne ? B : null);
});

test("a share has kept its second run and what changed, and ends with the share", async () => {
  const run = { kind: "trace", model: "m", text: "t", target: null, text_pair: null, picture: null, generate: null, error: null } as const;
  const shared: SharedPage = {
    ...{ slug: "slug", title: "", note: "", view: "?with=second", run, shown_model: null, lens: null, pairs: [] },
    second: { ...run, text: "other" },
  };
  const { explorer, comparison } = open("", shared);
  expect(comparison.other.value).toMatchObject({ id: "share:slug/second", text: "other" });
  await settle();
  expect(vi.mocked(fetch).mock.calls.map(([address]) => address)).toContain("/api/v1/shares/slug/second/frames");
  explorer.run.set(finished("share:slug", ["a", "b", "c"]));
  comparison.other.set(finished("share:slug/second", ["a", "c"]));
  await settle();
  expect(comparison.found.value).toMatchObject({ a: "share:slug", b: "share:slug/second" });
  explorer.connection.set({ state: "refused", reason: "gone" });
  expect(comparison.other.value.id).toBe(null);
});
