/** The directions in which the browser's folders may import. A new folder has to be named here. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";

const SOURCE = join(import.meta.dirname, "../../static/src");
const MAY_IMPORT: Record<string, string[]> = {
  language: [],
  wire: ["language"],
  dom: ["language"],
  gl: [],
  state: ["wire", "language"],
  tiles: ["wire", "gl"],
  plot: ["dom", "state", "tiles", "gl", "language", "wire"],
  figures: ["gl"],
  views: ["plot", "dom", "state", "tiles", "gl", "figures", "language"],
  pages: ["views", "dom", "state", "tiles", "gl", "language", "css", "icon.svg"],
};

function imports(): { from: string; to: string }[] {
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf-8" }).filter((name) => name.endsWith(".ts"));
  return files.flatMap((file) => {
    const text = readFileSync(join(SOURCE, file), "utf-8");
    const targets = [...text.matchAll(/(?:from|import) "(\.[^"]+)"/g)].map((match) => match[1] as string);
    return targets.map((target) => ({ from: file, to: relative(SOURCE, join(SOURCE, file, "..", target)) }));
  });
}

test("every import goes downwards: pages, views, then state, tiles and gl, then the wire", () => {
  const folder = (path: string) => path.split("/")[0] as string;
  const wrong = imports().filter(
    ({ from, to }) => folder(from) !== folder(to) && !MAY_IMPORT[folder(from)]?.includes(folder(to)),
  );
  expect(wrong).toEqual([]);
});

test("views do not import one another", () => {
  const view = (path: string) => path.split("/")[1]?.replace(/\.ts$/, "");
  const wrong = imports().filter(
    ({ from, to }) => from.startsWith("views/") && to.startsWith("views/") && view(from) !== view(to),
  );
  expect(wrong).toEqual([]);
});

test("nothing turns text into markup", () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf-8" }).filter((name) => name.endsWith(".ts"));
  const wrong = files.filter((file) =>
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/.test(readFileSync(join(SOURCE, file), "utf-8")),
  );
  expect(wrong).toEqual([]);
});

test("what the explorer begins with is a file by itself, which no other page begins by", () => {
  const manifest = JSON.parse(readFileSync(join(SOURCE, "../dist/manifest.json"), "utf-8")) as Record<
    string,
    { imports?: string[] }
  >;
  const begin = "static/src/pages/begin.ts";
  expect(manifest[begin]?.imports?.map((name) => name.split("-")[0])).toEqual(["_first"]);
  const others = Object.entries(manifest).filter(([, { imports = [] }]) => imports.includes(begin));
  expect(others.map(([name]) => name)).toEqual(["static/src/pages/explore.ts"]);
});
