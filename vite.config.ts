import { defineConfig } from "vitest/config";

// Django serves static/dist under /static/ and finds each entry by its source path in the manifest.
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
      input: ["admin", "explore", "train", "library", "runs", "embed", "plain"].map((page) => `static/src/pages/${page}.ts`),
      // What pages share is one file: each more costs a page another request before it can begin.
      output: { codeSplitting: { groups: [{ name: "shared", test: /static\/src\/.*\.ts$/, minShareCount: 2 }] } },
    },
  },
  test: {
    include: ["tests/browser-unit/**/*.test.ts"],
    environment: "node",
  },
});
