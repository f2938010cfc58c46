import { describe, expect, it } from "vitest";
import { type Brought, pick } from "../../../static/src/state/dropped";

const brought = (...names: string[]): Brought[] => names.map((name) => ({ name, file: new File(["1"], name) }));
const picked = (...names: string[]) => {
  const { title, files, leftOut, isWeightsAlone } = pick(brought(...names));
  return { title, names: files.map(({ name }) => name), leftOut, isWeightsAlone };
};

describe("pick", () => {
  it("takes of a folder what makes a model, and says how much stays", () => {
    expect(picked("lamp/config.json", "lamp/model.safetensors", "lamp/pytorch_model.bin", "lamp/optimizer.pt", "lamp/train.py", "lamp/.git/HEAD")).toEqual({
      title: "lamp",
      names: ["lamp/config.json", "lamp/model.safetensors"],
      leftOut: 3,
      isWeightsAlone: false,
    });
  });

  it("takes the folder whose config.json lies highest", () => {
    expect(picked("a/checkpoints/1/config.json", "a/checkpoints/1/model.safetensors", "a/config.json", "a/model.safetensors").names).toEqual(["a/config.json", "a/model.safetensors"]);
  });

  it.each(["lamp.safetensors", "lamp.bin", "lamp.pt"])("knows that %s comes without what says what it is", (name) => {
    expect(picked(name)).toEqual({ title: "lamp", names: [name], leftOut: 0, isWeightsAlone: true });
  });

  it.each(["lamp.zip", "lamp.tar.gz"])("sends the archive %s as it is", (name) => {
    expect(picked(name)).toEqual({ title: "lamp", names: [name], leftOut: 0, isWeightsAlone: false });
  });

  it("finds no model among other files", () => {
    expect(picked("notes.md", "optimizer.pt")).toEqual({ title: "model", names: [], leftOut: 2, isWeightsAlone: false });
  });
});
