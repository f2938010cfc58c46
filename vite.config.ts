import { defineConfig } from "vitest/config";

// Django serves static/dist under /static/ and finds each entry by its source path in the manifest.
const PAGES = ["admin", "begin", "explore", "train", "library", "runs", "embed", "plain"];
/** What `pages/begin.ts` imports; these bring the rest of it along. */
const BEGINNING = ["pages/layout", "views/grid/first", "views/share/shared", "state/view", "state/theme", "gl/ramp"];

const among = (names: string[]) => new RegExp(`static/src/(${names.join("|")})\\.ts$`);

export default defineConfig({
  base: "/static/",
  publicDir: false,
  build: {
    outDir: "static/dist",
    emptyOutDir: true,
    manifest: "manifest.json",
    target: "es2022",
    // The Content-Security-Policy allows fonts from 'self' only, so nothing may become a data: address.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: PAGES.map((page) => `static/src/pages/${page}.ts`),
      // What the explorer begins with comes by itself, with all that it needs. What else pages share is one file: each
      // more costs a page another request before it can begin.
      output: {
        codeSplitting: {
          groups: [
            { name: "first", test: among(BEGINNING), priority: 1 },
            { name: "shared", test: /static\/src\/(?!pages\/begin).*\.ts$/, minShareCount: 2 },
          ],
        },
      },
    },
  },
  test: {
    include: ["tests/browser-unit/**/*.test.ts"],
    environment: "node",
  },
});
