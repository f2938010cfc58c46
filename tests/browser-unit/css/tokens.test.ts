import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { luminance, parseHex } from "../../../static/src/gl/ramp";
import { MOST_PICKED } from "../../../static/src/state/view";

const TOKENS = readFileSync(join(import.meta.dirname, "../../../static/src/css/tokens.css"), "utf-8");

/** The colours of each rule that sets the paper: light, dark by choice, dark by the system. */
function themes(): Map<string, string>[] {
  const rules = TOKENS.split(/^\s+color-scheme:/m).slice(1);
  return rules.map((rule) => new Map([...rule.matchAll(/(--[\w-]+): (#\w{6});/g)].map(([, name, hex]) => [name ?? "", hex ?? ""])));
}

function contrast(a: string, b: string): number {
  const [lighter, darker] = [a, b].map((hex) => luminance(parseHex(hex))).sort((x, y) => y - x) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

test("both dark themes are the same", () => {
  const [, chosen, system] = themes();
  expect(chosen).toEqual(system);
});

test("there is a hue for each head that can be picked, and lines of it stand out from the paper", () => {
  for (const theme of themes())
    for (let place = 1; place <= MOST_PICKED; place++)
      expect(contrast(theme.get(`--pick-${place}`) ?? "", theme.get("--paper") ?? "")).toBeGreaterThanOrEqual(3);
});
