/** What the explorer asks the server to run: a text that is read, one that is gone on with, or another token in it. */
import type { Choices, Model, RunOrder } from "../wire/http";
import type { Run } from "./run";

/** `second` is a target or the second text of a pair, as the model takes it. */
export function traceOrder(model: Model, text: string, second: string | null): RunOrder {
  const [target, text_pair] = model.pairs ? [null, second] : [second, null];
  return { kind: "trace", model: model.id, text, ...(target ? { target } : {}), ...(text_pair ? { text_pair } : {}) };
}

export function writeOrder(model: Model, text: string, target: string | null, generate: Choices): RunOrder {
  return { kind: "generate", model: model.id, text, generate, ...(target ? { target } : {}) };
}

/** Another token at a place of what a run wrote; null of one that wrote nothing. */
export function branchOrder({ id, model, writing, sequences }: Run, place: number, token: number, generate: Choices): RunOrder | null {
  if (!id || !model || !writing) return null;
  const ids = [...writing.prompt.arrays.ids.values, ...writing.steps.map((step) => step.id)].slice(0, place);
  const prompt = [...ids, token];
  const source = sequences.encoder && [...sequences.encoder.arrays.ids.values];
  const read = source ? { ids: source, target_ids: prompt } : { ids: prompt };
  return { kind: "generate", model, generate, parent: id, branched_at: place, ...read };
}
