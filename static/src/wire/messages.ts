// Written by `python -m workers.protocol.typescript` from workers/protocol/events.py. Do not edit.

export const MAGIC = "HLF";
export const VERSION = 1;
export const PREFIX_BYTES = 8;
export const ALIGNMENT = 8;

export interface TypedArrays {
  u8: Uint8Array;
  u16: Uint16Array;
  i32: Int32Array;
  f32: Float32Array;
}

export interface ShapedArray<D extends keyof TypedArrays> {
  readonly values: TypedArrays[D];
  readonly shape: readonly number[];
}

/** A worker took the run. With attempt > 1 everything before this event is void. */
export interface Started {
  readonly type: "started";
  readonly seq: number;
  readonly run: string;
  readonly attempt: number;
  readonly model: string;
  readonly worker: string;
  readonly device: string;
  readonly dtype: string;
  readonly implementation: string;
}

/** The tokens of one sequence. Offsets count Unicode code points of that sequence's text; of two texts, as if the second followed the first without a gap. */
export interface Tokens {
  readonly type: "tokens";
  readonly seq: number;
  readonly sequence: "encoder" | "decoder";
  readonly origin: "given" | "generated";
  readonly texts: readonly string[];
  readonly special: readonly boolean[];
  readonly arrays: {
    /** [n] */
    readonly ids: ShapedArray<"i32">;
    /** [n, 2] */
    readonly offsets: ShapedArray<"i32">;
  };
}

/** All heads of one attention site: a pooled overview and a few measures of each head. */
export interface Site {
  readonly type: "site";
  readonly seq: number;
  readonly site: string;
  readonly stack: "encoder" | "decoder";
  readonly kind: "self" | "cross";
  readonly layer: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly causal: boolean;
  readonly cell: number;
  readonly rule: "max";
  readonly encoding: "sqrt";
  readonly measures: readonly string[];
  readonly labels?: readonly string[];
  readonly seconds: number;
  readonly arrays: {
    /** [heads, rows, cols] */
    readonly overview: ShapedArray<"u8">;
    /** [heads] */
    readonly scale: ShapedArray<"f32">;
    /** [measures, heads] */
    readonly measures: ShapedArray<"f32">;
    /** [heads] */
    readonly margin?: ShapedArray<"f32">;
    /** [heads] */
    readonly confidence?: ShapedArray<"f32">;
  };
}

/** The k most likely next tokens after each position; `texts` names every id that occurs. */
export interface Probabilities {
  readonly type: "probabilities";
  readonly seq: number;
  readonly sequence: "encoder" | "decoder";
  readonly texts: Readonly<Record<string, string>>;
  readonly arrays: {
    /** [n, k] */
    readonly ids: ShapedArray<"i32">;
    /** [n, k] */
    readonly probabilities: ShapedArray<"f32">;
  };
}

/** A picture as the model reads it: resized and cut out, before its values become (pixel * rescale - mean) / deviation. */
export interface Picture {
  readonly type: "picture";
  readonly seq: number;
  readonly rows: number;
  readonly cols: number;
  readonly patch: readonly number[];
  readonly first: number;
  readonly rescale: number;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  readonly arrays: {
    /** [height, width, channels] */
    readonly pixels: ShapedArray<"u8">;
  };
}

/** What a picture shows: the k likeliest classes, by a softmax over all; `texts` has their names in that order. */
export interface Classes {
  readonly type: "classes";
  readonly seq: number;
  readonly texts: readonly string[];
  readonly arrays: {
    /** [k] */
    readonly ids: ShapedArray<"i32">;
    /** [k] */
    readonly probabilities: ShapedArray<"f32">;
  };
}

/** A token that a model wrote at `place`, its likeliest alternatives, and each head's row of the token before it. */
export interface Step {
  readonly type: "step";
  readonly seq: number;
  readonly place: number;
  readonly id: number;
  readonly text: string;
  readonly written: string;
  readonly probability: number;
  readonly sampled_probability: number;
  readonly finished: "end_token" | "stop_token" | "stop_string" | "length" | "positions" | null;
  readonly texts: readonly string[];
  readonly cell: number;
  readonly sites: readonly string[];
  readonly heads: readonly number[];
  readonly keys: readonly number[];
  readonly arrays: {
    /** [k] */
    readonly alternatives: ShapedArray<"i32">;
    /** [k] */
    readonly probabilities: ShapedArray<"f32">;
    /** [values] */
    readonly rows: ShapedArray<"u16">;
  };
}

/** A site's map of the prompt that a model goes on from, p = value / 65535, the largest of cell x cell tokens. */
export interface PromptRows {
  readonly type: "prompt_rows";
  readonly seq: number;
  readonly site: string;
  readonly causal: boolean;
  readonly queries: number;
  readonly keys: number;
  readonly cell: number;
  readonly arrays: {
    /** [heads, rows, cols] */
    readonly rows: ShapedArray<"u16">;
  };
}

/** Tokens that a beam search kept in one step, numbered on from `first`; parents are numbers, -1 is the prompt. */
export interface Beams {
  readonly type: "beams";
  readonly seq: number;
  readonly first: number;
  readonly texts: readonly string[];
  readonly ended: readonly boolean[];
  readonly best: readonly number[];
  readonly scores: readonly number[];
  readonly arrays: {
    /** [n] */
    readonly ids: ShapedArray<"i32">;
    /** [n] */
    readonly parents: ShapedArray<"i32">;
    /** [n] */
    readonly log_probabilities: ShapedArray<"f32">;
    /** [n] */
    readonly totals: ShapedArray<"f32">;
  };
}

/** An exact rectangle of one head's map; with cell > 1 pooled by max over cell x cell tokens. */
export interface Tile {
  readonly type: "tile";
  readonly seq: number;
  readonly site: string;
  readonly head: number;
  readonly rows: readonly number[];
  readonly cols: readonly number[];
  readonly cell: number;
  readonly rule: "exact" | "max";
  readonly implementation: string;
  readonly arrays: {
    /** [rows, cols] */
    readonly weights: ShapedArray<"f32">;
  };
}

/** One weight of a map taken apart: weight = exp(score - log_sum_exp) * factor. */
export interface Pair {
  readonly type: "pair";
  readonly seq: number;
  readonly site: string;
  readonly head: number;
  readonly row: number;
  readonly col: number;
  readonly rule: "dot" | "additive" | "whole";
  readonly turned: boolean | null;
  readonly product: number;
  readonly relative: number | null;
  readonly scale: number;
  readonly scaled: number;
  readonly softcap: number | null;
  readonly capped: number;
  readonly biases: Readonly<Record<string, number>>;
  readonly hidden_by: readonly string[];
  readonly score: number | null;
  readonly log_sum_exp: number | null;
  readonly factor: number | null;
  readonly weight: number;
  readonly sink: number | null;
  readonly seen: number;
  readonly largest_score: number | null;
  readonly implementation: string;
  readonly arrays: {
    /** [width] */
    readonly query: ShapedArray<"f32">;
    /** [width] */
    readonly key: ShapedArray<"f32">;
    /** [width] */
    readonly products: ShapedArray<"f32">;
    /** [k] */
    readonly strongest_keys: ShapedArray<"i32">;
    /** [k] */
    readonly strongest_weights: ShapedArray<"f32">;
  };
}

/** Some rows of a map summed up: what each key receives of them, and each row's entropy in nats. */
export interface Totals {
  readonly type: "totals";
  readonly seq: number;
  readonly site: string;
  readonly head: number;
  readonly rows: readonly number[];
  readonly implementation: string;
  readonly arrays: {
    /** [keys] */
    readonly received: ShapedArray<"f32">;
    /** [rows] */
    readonly entropy: ShapedArray<"f32">;
  };
}

/** Of some rows of a map: what a weight must reach to be among the strongest, which hold `mass` of their row. */
export interface Floors {
  readonly type: "floors";
  readonly seq: number;
  readonly site: string;
  readonly head: number;
  readonly rows: readonly number[];
  readonly mass: number;
  readonly implementation: string;
  readonly arrays: {
    /** [rows] */
    readonly floors: ShapedArray<"f32">;
  };
}

/** A rectangle of another reading of a map, with cell > 1 the largest in size of cell x cell values. */
export interface Influence {
  readonly type: "influence";
  readonly seq: number;
  readonly site: string;
  readonly head: number;
  readonly reading: "value" | "gradient" | "rollout" | "flow";
  readonly rows: readonly number[];
  readonly cols: readonly number[];
  readonly cell: number;
  readonly rule: "exact" | "max";
  readonly position: number | null;
  readonly token: number | null;
  readonly logit: number | null;
  readonly implementation: string;
  readonly arrays: {
    /** [rows, cols] */
    readonly values: ShapedArray<"f32">;
  };
}

/** A worker trains, from `step` on: what was told of later steps is void, what was told before stands. */
export interface Training {
  readonly type: "training";
  readonly seq: number;
  readonly plan: Readonly<Record<string, string>>;
  readonly step: number;
  readonly steps: number;
  readonly parameters: number;
}

/** Steps that were done since the last of these; of each its loss in nats, before it, and how it was made. */
export interface Progress {
  readonly type: "progress";
  readonly seq: number;
  readonly tokens_per_s: number;
  readonly memory_bytes: number;
  readonly seconds_left: number | null;
  readonly arrays: {
    /** [n] */
    readonly steps: ShapedArray<"i32">;
    /** [n] */
    readonly loss: ShapedArray<"f32">;
    /** [n] */
    readonly learning_rate: ShapedArray<"f32">;
    /** [n] */
    readonly gradient_norm: ShapedArray<"f32">;
  };
}

/** What the model could do after a step, on examples that it is never trained on, by name. */
export interface Evaluated {
  readonly type: "evaluated";
  readonly seq: number;
  readonly step: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** What every head did with the probe text after a step, all sites one after another, each as `site` tells it. */
export interface Snapshot {
  readonly type: "snapshot";
  readonly seq: number;
  readonly step: number;
  readonly sites: readonly string[];
  readonly heads: readonly number[];
  readonly queries: readonly number[];
  readonly keys: readonly number[];
  readonly cell: readonly number[];
  readonly causal: readonly boolean[];
  readonly measures: readonly (readonly string[])[];
  readonly labels: readonly (readonly string[])[];
  readonly arrays: {
    /** [values] */
    readonly overview: ShapedArray<"u8">;
    /** [heads] */
    readonly scale: ShapedArray<"f32">;
    /** [values] */
    readonly measures: ShapedArray<"f32">;
  };
}

/** What the model made of a probe after a step: the text it read, what it wrote, what would have been right or "". */
export interface Sample {
  readonly type: "sample";
  readonly seq: number;
  readonly step: number;
  readonly source: string;
  readonly text: string;
  readonly wanted: string;
}

/** A checkpoint was written: from this step a killed worker's training goes on. */
export interface Saved {
  readonly type: "saved";
  readonly seq: number;
  readonly step: number;
}

/** Somebody changed something on the way: what, after which step, and the new factor of the learning rate. */
export interface Steered {
  readonly type: "steered";
  readonly seq: number;
  readonly action: "pause" | "go_on" | "checkpoint" | "learning_rate" | "sample";
  readonly step: number;
  readonly rate_factor: number;
}

/** The model is done: its weights lie in the trained models' folder. */
export interface Trained {
  readonly type: "trained";
  readonly seq: number;
  readonly step: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Two runs compared over the sites that both have: how far each head changed from the first to the second. */
export interface Comparison {
  readonly type: "comparison";
  readonly seq: number;
  readonly sites: readonly string[];
  readonly heads: readonly number[];
  readonly rows_read: readonly number[];
  readonly rows_shared: readonly number[];
  readonly implementation: string;
  readonly arrays: {
    /** [heads] */
    readonly distance: ShapedArray<"f32">;
    /** [heads, k] */
    readonly row: ShapedArray<"i32">;
    /** [heads, k] */
    readonly row_distance: ShapedArray<"f32">;
    /** [heads, k] */
    readonly key_a: ShapedArray<"i32">;
    /** [heads, k] */
    readonly weight_a: ShapedArray<"f32">;
    /** [heads, k] */
    readonly key_b: ShapedArray<"i32">;
    /** [heads, k] */
    readonly weight_b: ShapedArray<"f32">;
    /** [n, 2] */
    readonly encoder_pairs: ShapedArray<"i32">;
    /** [n, 2] */
    readonly decoder_pairs: ShapedArray<"i32">;
  };
}

/** Weights of a second run's map less those of the first's, on a rectangle of the first; NaN where a row or a key has no partner in the second. With cell > 1 the value furthest from 0 of every cell x cell tokens. */
export interface Difference {
  readonly type: "difference";
  readonly seq: number;
  readonly site: string;
  readonly head: number;
  readonly rows: readonly number[];
  readonly cols: readonly number[];
  readonly cell: number;
  readonly implementation: string;
  readonly arrays: {
    /** [rows, cols] */
    readonly weights: ShapedArray<"f32">;
  };
}

/** What a model would say at some positions if it ended after a layer; row 0 is before the first, the last is what it says. */
export interface Lens {
  readonly type: "lens";
  readonly seq: number;
  readonly sequence: "encoder" | "decoder";
  readonly positions: readonly number[];
  readonly guesses: "next" | "own" | "class";
  readonly tuned: boolean;
  readonly texts: Readonly<Record<string, string>>;
  readonly arrays: {
    /** [layers, positions, k] */
    readonly ids: ShapedArray<"i32">;
    /** [layers, positions, k] */
    readonly probabilities: ShapedArray<"f32">;
    /** [positions] */
    readonly truth: ShapedArray<"i32">;
    /** [layers, positions] */
    readonly truth_probabilities: ShapedArray<"f32">;
    /** [layers, positions] */
    readonly truth_ranks: ShapedArray<"i32">;
  };
}

/** The run is complete and stored. `implementation` names the kernels that ran; timings are in seconds, by phase. */
export interface Finished {
  readonly type: "finished";
  readonly seq: number;
  readonly implementation: string;
  readonly timings: Readonly<Record<string, number>>;
}

/** The run cannot be done; `message` is meant for the person who asked. */
export interface Failed {
  readonly type: "failed";
  readonly seq: number;
  readonly code: string;
  readonly message: string;
}

/** The run was stopped on request. */
export interface Cancelled {
  readonly type: "cancelled";
  readonly seq: number;
}

export type RunEvent =
  | Started
  | Tokens
  | Site
  | Probabilities
  | Picture
  | Classes
  | Step
  | PromptRows
  | Beams
  | Tile
  | Pair
  | Totals
  | Floors
  | Influence
  | Training
  | Progress
  | Evaluated
  | Snapshot
  | Sample
  | Saved
  | Steered
  | Trained
  | Comparison
  | Difference
  | Lens
  | Finished
  | Failed
  | Cancelled;

export const ENDINGS: ReadonlySet<string> = new Set(["finished", "failed", "cancelled"]);
