import { expect, test } from "vitest";
import { shortCount, sizeOf } from "../../../static/src/language/amounts";

test("an amount has at most three digits and its unit", () => {
  expect([0, 860, 17_219, 4_300_000, 22_565_376, 1_240_000_000].map(shortCount)).toEqual([
    "0",
    "860",
    "17 K",
    "4.3 M",
    "23 M",
    "1.2 B",
  ]);
  expect([68_876, 16_900_000, 13e9, 4.2e12].map(sizeOf)).toEqual(["69 KB", "17 MB", "13 GB", "4200 GB"]);
});
