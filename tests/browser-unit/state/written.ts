/** A small run that writes: two heads of one site, a prompt of three tokens, and a row for each step. */
import { FULL } from "../../../static/src/state/writing";
import type { Beams, PromptRows, Step } from "../../../static/src/wire/messages";

/** Weights as they travel. */
export function values(weights: number[]): Uint16Array {
  return Uint16Array.from(weights, (weight) => Math.round(weight * FULL));
}

/** The token at a place of the text; every head looks at the token before it, and half as much at the first. */
export function stepEvent(place: number, { cell = 1, finished = null as Step["finished"] } = {}): Step {
  const row = Array.from({ length: place }, (_, key) => (key === place - 1 ? 0.5 : key === 0 ? 0.25 : 0));
  const pooled = Array.from({ length: Math.ceil(place / cell) }, (_, at) => Math.max(...row.slice(at * cell, (at + 1) * cell)));
  return {
    type: "step",
    seq: 10 + place,
    place,
    id: 100 + place,
    text: ` t${place}`,
    written: ` t${place}`,
    probability: 0.5,
    sampled_probability: 1,
    finished,
    texts: [` t${place}`, " other"],
    cell,
    sites: ["decoder.self.0"],
    heads: [2],
    keys: [place],
    arrays: {
      alternatives: { values: Int32Array.of(100 + place, 7), shape: [2] },
      probabilities: { values: Float32Array.of(0.5, 0.25), shape: [2] },
      rows: { values: values([...pooled, ...pooled]), shape: [2 * pooled.length] },
    },
  };
}

/** All weight on the own token. */
export function promptRowsEvent(queries = 3, cell = 1): PromptRows {
  const side = Math.ceil(queries / cell);
  const map = Array.from({ length: side * side }, (_, at) => (at % (side + 1) === 0 ? 1 : 0));
  return {
    type: "prompt_rows",
    seq: 9,
    site: "decoder.self.0",
    causal: true,
    queries,
    keys: queries,
    cell,
    arrays: { rows: { values: values([...map, ...map]), shape: [2, side, side] } },
  };
}

export function beamsEvent(
  first: number,
  nodes: { text: string; parent: number; total: number }[],
  best: number[] = [],
): Beams {
  return {
    type: "beams",
    seq: 10 + first,
    first,
    texts: nodes.map(({ text }) => text),
    ended: nodes.map(() => false),
    best,
    scores: best.map(() => 0),
    arrays: {
      ids: { values: Int32Array.from(nodes.keys()), shape: [nodes.length] },
      parents: { values: Int32Array.from(nodes.map(({ parent }) => parent)), shape: [nodes.length] },
      log_probabilities: { values: new Float32Array(nodes.length), shape: [nodes.length] },
      totals: { values: Float32Array.from(nodes.map(({ total }) => total)), shape: [nodes.length] },
    },
  };
}
