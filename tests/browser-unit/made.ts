/** Small events for tests, whole enough to be folded. */
import type { Probabilities, Site, Started, Tokens } from "../../static/src/wire/messages";

export function startedEvent(attempt = 1): Started {
  return {
    type: "started",
    seq: 1,
    run: "r1",
    attempt,
    model: "quill",
    worker: "w",
    device: "cpu",
    dtype: "float32",
    implementation: "cpu",
  };
}

export function tokensEvent(
  texts: string[],
  offsets: [number, number][] = texts.map(() => [0, 0]),
  special: boolean[] = texts.map(() => false),
): Tokens {
  return {
    type: "tokens",
    seq: 2,
    sequence: "decoder",
    origin: "given",
    texts,
    special,
    arrays: {
      ids: { values: Int32Array.from(texts.keys()), shape: [texts.length] },
      offsets: { values: Int32Array.from(offsets.flat()), shape: [texts.length, 2] },
    },
  };
}

export function siteEvent({
  site = "decoder.self.0",
  heads = 1,
  side = 2,
  cell = 1,
  causal = true,
  overview = [] as number[],
  scale = [] as number[],
  measures = {} as Record<string, number[]>,
  labels = [] as string[],
  margin = [] as number[],
  confidence = [] as number[],
} = {}): Site {
  const [stack, kind, layer] = site.split(".") as ["encoder" | "decoder", "self" | "cross", string];
  const length = side * cell;
  return {
    type: "site",
    seq: 3,
    site,
    stack,
    kind,
    layer: Number(layer),
    heads,
    queries: length,
    keys: length,
    causal,
    cell,
    rule: "max",
    encoding: "sqrt",
    measures: Object.keys(measures),
    labels: labels.length ? labels : Array(heads).fill("unclear"),
    seconds: 0,
    arrays: {
      overview: { values: Uint8Array.from(overview), shape: [heads, side, side] },
      scale: { values: Float32Array.from(scale.length ? scale : Array(heads).fill(1)), shape: [heads] },
      measures: {
        values: Float32Array.from(Object.values(measures).flat()),
        shape: [Object.keys(measures).length, heads],
      },
      margin: { values: Float32Array.from(margin.length ? margin : Array(heads).fill(0)), shape: [heads] },
      confidence: { values: Float32Array.from(confidence.length ? confidence : Array(heads).fill(0)), shape: [heads] },
    },
  };
}

export function probabilitiesEvent(
  ids: number[][],
  probabilities: number[][],
  texts: Record<string, string>,
): Probabilities {
  const shape = [ids.length, ids[0]?.length ?? 0];
  return {
    type: "probabilities",
    seq: 4,
    sequence: "decoder",
    texts,
    arrays: {
      ids: { values: Int32Array.from(ids.flat()), shape },
      probabilities: { values: Float32Array.from(probabilities.flat()), shape },
    },
  };
}
