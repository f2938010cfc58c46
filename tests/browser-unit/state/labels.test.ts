import { expect, test } from "vitest";
import { labelOf, measuresOf } from "../../../static/src/state/labels";
import { siteEvent } from "../made";

const measures = (values: Record<string, number>) =>
  siteEvent({ measures: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value]])) });

test("a pattern that holds most of the weight names the head", () => {
  expect(labelOf(measures({ previous_token: 0.8, first_token: 0.05 }), 0)).toMatchObject({
    title: "previous token",
    measure: "previous_token",
  });
});

test("the first token is taken out before a pattern is looked for", () => {
  expect(labelOf(measures({ induction: 0.35, first_token: 0.55, previous_token: 0.02 }), 0).title).toBe("induction");
});

test("a head that rests nearly always is named by its rest", () => {
  expect(labelOf(measures({ induction: 0.04, first_token: 0.95 }), 0).title).toBe("first token");
});

test("two patterns alike are unclear", () => {
  expect(labelOf(measures({ previous_token: 0.45, diagonal: 0.45 }), 0)).toMatchObject({
    title: "unclear",
    value: null,
  });
});

test("a head between two texts that points at one token each time is focused", () => {
  const site = siteEvent({ site: "decoder.cross.0", measures: { diagonal: [0.05], entropy: [0.28] } });
  expect(labelOf(site, 0)).toMatchObject({
    title: "focused",
    sentence: "Each token looks at about 1.3 tokens of the other text.",
  });
});

test("patterns within one text are not read between two", () => {
  const site = siteEvent({
    site: "decoder.cross.0",
    measures: { previous_token: [0.9], diagonal: [0.05], entropy: [1] },
  });
  expect(labelOf(site, 0).title).toBe("unclear");
  expect(measuresOf(site).map(({ name }) => name)).toEqual(["diagonal", "entropy"]);
});
