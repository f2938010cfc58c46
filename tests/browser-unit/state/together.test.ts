import { expect, test } from "vitest";
import { EMPTY_RUN, fold } from "../../../static/src/state/run";
import { headsTogether } from "../../../static/src/state/together";
import { siteEvent } from "../made";

const sites = ["encoder.self.0", "decoder.self.0", "decoder.self.1", "decoder.cross.0"];
const run = sites.reduce((folded, site) => fold(folded, siteEvent({ site, heads: 2 })), EMPTY_RUN);
const selected = { site: "decoder.self.0", head: 0 };

test("without picked heads the selected one is drawn alone, in the page's own colour", () => {
  expect(headsTogether(run, [], selected)).toMatchObject([{ ref: selected, colour: "--accent" }]);
});

test("picked heads keep their colours, in the order in which they were picked", () => {
  const picked = [
    { site: "decoder.self.1", head: 1 },
    { site: "decoder.self.0", head: 1 },
  ];
  expect(headsTogether(run, picked, selected).map(({ name, colour }) => [name, colour])).toEqual([
    ["L1 · H1", "--pick-1"],
    ["L0 · H1", "--pick-2"],
  ]);
});

test("heads that look from or at another text are not drawn over these, nor heads that the model lacks", () => {
  const picked = [
    { site: "encoder.self.0", head: 0 },
    { site: "decoder.cross.0", head: 0 },
    { site: "decoder.self.1", head: 9 },
    { site: "decoder.self.1", head: 0 },
  ];
  expect(headsTogether(run, picked, selected).map(({ colour }) => colour)).toEqual(["--pick-4"]);
});
