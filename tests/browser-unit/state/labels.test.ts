import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { confidenceInWords, labelOf, MEASURES, measuresOf } from "../../../static/src/state/labels";
import { decode } from "../../../static/src/wire/frame";
import type { Site } from "../../../static/src/wire/messages";
import { siteEvent } from "../made";

test("a head is called what its run called it, with the share that shows it", () => {
  const site = siteEvent({
    measures: { previous_token: [0.75], first_token: [0.05] },
    labels: ["previous_token"],
    margin: [0.5],
    confidence: [0.875],
  });
  expect(labelOf(site, 0)).toEqual({
    name: "previous_token",
    measure: "previous_token",
    title: "previous token",
    value: 0.75,
    sentence: "It looks at the token directly before.",
    margin: 0.5,
    confidence: 0.875,
  });
});

test("a label that is no share of weight shows no number", () => {
  const site = siteEvent({ heads: 2, measures: { entropy: [3, 1] }, labels: ["broad", "unclear"] });
  expect(labelOf(site, 0)).toMatchObject({ title: "broad", measure: "entropy", value: null });
  expect(labelOf(site, 1)).toMatchObject({ title: "unclear", measure: null, value: null });
});

test("a head between two texts that points at one token each time says at how many", () => {
  const site = siteEvent({ site: "decoder.cross.0", measures: { entropy: [0.28] }, labels: ["focused"] });
  expect(labelOf(site, 0)).toMatchObject({
    title: "focused",
    sentence: "Each token looks at about 1.3 tokens of the other text.",
  });
});

test("a run stored before heads were labelled says so", () => {
  const bytes = readFileSync(join(import.meta.dirname, "../../golden/site_unlabelled.frame"));
  const site = decode(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer) as Site;
  expect(labelOf(site, 1)).toEqual({
    name: null,
    measure: null,
    title: "not labelled",
    value: null,
    sentence: "Heads were not labelled in this run.",
    margin: 0,
    confidence: 0,
  });
});

test("a label of a later version is shown by its name", () => {
  expect(labelOf(siteEvent({ labels: ["copy_suppression"] }), 0).title).toBe("copy suppression");
});

test("confidence is a word, and unclear has none", () => {
  const words = (label: string, confidence: number) =>
    confidenceInWords(labelOf(siteEvent({ labels: [label], confidence: [confidence] }), 0));
  expect([0.95, 0.5, 0.1].map((confidence) => words("induction", confidence))).toEqual([
    "clearly",
    "probably",
    "hardly",
  ]);
  expect(words("unclear", 0)).toBe("");
});

test("patterns within one text are not offered between two, nor the future where it is hidden", () => {
  const measures = { previous_token: [0.9], next_token: [0.1], diagonal: [0.05], entropy: [1] };
  const names = (site: Site) => measuresOf(site).map(({ name }) => name);
  expect(names(siteEvent({ site: "decoder.cross.0", causal: false, measures }))).toEqual(["diagonal", "entropy"]);
  expect(names(siteEvent({ measures }))).not.toContain("next_token");
  expect(names(siteEvent({ site: "encoder.self.0", causal: false, measures }))).toContain("next_token");
});

test("every measure says what it means, its formula and its source", () => {
  for (const { meaning, formula, source } of MEASURES) {
    expect(meaning).toMatch(/\.$/);
    expect(formula).toMatch(/p_/);
    expect(source).toMatch(/\d{4}/);
  }
});
