import { expect, test } from "vitest";
import { groupSites, headName, parseSite, sitesOfModel } from "../../../static/src/state/sites";

test("a site's name says where it is", () => {
  expect(parseSite("decoder.cross.12")).toEqual({ stack: "decoder", kind: "cross", layer: 12 });
  expect(parseSite("decoder.cross.x")).toBeNull();
  expect(headName("decoder.self.4", 7)).toBe("L4 · H7");
});

test("one group needs no title, three have one, layers in order", () => {
  expect(groupSites(["decoder.self.1", "decoder.self.0"])).toMatchObject([
    { title: "", sites: ["decoder.self.0", "decoder.self.1"] },
  ]);
  const pair = groupSites(sitesOfModel({ architecture: "encoder-decoder", layers: 11, encoder_layers: 3 }));
  expect(pair.map(({ title }) => title)).toEqual(["Encoder", "Decoder", "Decoder looks at encoder"]);
  expect(pair[0]?.sites).toHaveLength(3);
  expect(pair[1]?.sites.at(-1)).toBe("decoder.self.10");
});

test("a site named twice has one place", () => {
  expect(groupSites(["decoder.self.0", "decoder.self.0"])[0]?.sites).toHaveLength(1);
});

test("an encoder alone has its own sites, and needs no title", () => {
  const [only, ...others] = groupSites(sitesOfModel({ architecture: "encoder", layers: 2, encoder_layers: 2 }));
  expect(only).toMatchObject({ title: "", sites: ["encoder.self.0", "encoder.self.1"] });
  expect(others).toEqual([]);
});
