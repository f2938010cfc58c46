/** Where a figure's numbers come from: the checkpoint, and what it read, as the run tells them. */
import type { Origin, Source } from "../../figures/script";
import { pngOf } from "../../figures/png_file";
import type { Explorer } from "../../state/explorer";
import type { Picture, Run } from "../../state/run";

export function originOf(explorer: Explorer, title: string, about: string): Promise<Origin> {
  return originOfRun(explorer.run.value, explorer, title, about);
}

/** The same of any run. */
export async function originOfRun(run: Run, explorer: Explorer, title: string, about: string): Promise<Origin> {
  const model = explorer.models.value?.find(({ id }) => id === run.model);
  const file = ["headlight", run.model ?? "", about].join("-").toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return { title, file, checkpoint: model?.folder ?? run.model ?? "", source: await sourceOf(run) };
}

/** "Prose, layer 1, head 0" and the like begin with the model's name. */
export function modelName(explorer: Explorer): string {
  return explorer.modelOfRun?.name ?? explorer.run.value.model ?? "";
}

async function sourceOf(run: Run): Promise<Source> {
  if (run.seen) return pictureSource(run.seen);
  if (run.text !== null && run.text_pair) return { kind: "pair", text: run.text, text_pair: run.text_pair };
  const idsOf = (name: "encoder" | "decoder") => {
    const tokens = run.sequences[name];
    return tokens ? Array.from(tokens.arrays.ids.values) : null;
  };
  return { kind: "ids", encoder: idsOf("encoder"), decoder: idsOf("decoder") };
}

async function pictureSource(seen: Picture): Promise<Source> {
  const [height = 1, width = 1, channels = 1] = seen.arrays.pixels.shape;
  const { rescale, mean, deviation } = seen;
  const png_base64 = await pngOf(seen.arrays.pixels.values, width, height, channels);
  return { kind: "picture", png_base64, channels, rescale, mean, deviation };
}
