/**
 * A run that writes, as it stands after some of its tokens: the text so far, and every head's map with a row for each
 * token that was read.
 *
 * Rows come on the wire in 16 bits, one token at a time. What is folded here is only ever added to, so that any
 * earlier state can be shown again.
 */
import type { Model } from "../wire/http";
import type { Beams, PromptRows, Site, Step, Tokens } from "../wire/messages";
import type { Run } from "./run";
import { parseSite } from "./sites";

export interface Writing {
  /** What it goes on from, as the decoder reads it. */
  readonly prompt: Tokens;
  readonly steps: readonly Step[];
  /** Each site's map of the prompt. */
  readonly prompts: ReadonlyMap<string, PromptRows>;
  /** Of a beam search, which has no steps. */
  readonly beams: readonly Beams[];
}

type WritingEvent = Step | PromptRows | Beams;

/** A probability is a value over this. */
export const FULL = 65_535;
/** From 16 bits to the eight of an overview, p = (byte / 255)². */
const BYTES = Uint8Array.from({ length: FULL + 1 }, (_, value) => Math.round(Math.sqrt(value / FULL) * 255));

export function foldWriting(writing: Writing | null, prompt: Tokens | undefined, event: WritingEvent): Writing | null {
  const before = writing ?? (prompt && { prompt, steps: [], prompts: new Map(), beams: [] });
  if (!before) return null;
  switch (event.type) {
    case "step":
      return { ...before, steps: [...before.steps, event] };
    case "prompt_rows":
      return { ...before, prompts: new Map(before.prompts).set(event.site, event) };
    case "beams":
      return { ...before, beams: [...before.beams, event] };
  }
}

/** Whether a model can be asked to write. */
export function writesText(model: Pick<Model, "architecture" | "output"> | null): boolean {
  return model !== null && /decoder$/.test(model.architecture) && model.output === "vocabulary";
}

/** How many tokens have been written so far. */
export function writtenIn(run: Run): number {
  return run.writing?.steps.length ?? 0;
}

/**
 * The run as it was after `count` of its tokens; as it is, where that is all of them and it has ended.
 * Cost: copies every value of the maps in sight then.
 */
export function runAt(run: Run, count: number): Run {
  const { writing } = run;
  if (!writing || writing.steps.length === 0) return run;
  const isAll = count >= writing.steps.length;
  if (isAll && run.finished) return run;
  const decoder = isAll && run.sites.size > 0 ? run.sequences.decoder : tokensAt(writing, count);
  const sites = new Map<string, Site>();
  for (const name of writing.prompts.keys()) {
    const site = (isAll && run.sites.get(name)) || siteAt(writing, name, count);
    if (site) sites.set(name, site);
  }
  // An encoder has read its text whole.
  for (const [name, site] of run.sites) if (site.stack === "encoder" || isAll) sites.set(name, site);
  const next = run.next && !isAll && decoder ? { ...run.next, arrays: firstRows(run.next.arrays, decoder.texts.length) } : run.next;
  return { ...run, sequences: { ...run.sequences, ...(decoder ? { decoder } : {}) }, sites, next };
}

function firstRows<T extends Record<string, { values: Int32Array | Float32Array; shape: readonly number[] }>>(
  arrays: T,
  rows: number,
): T {
  const cut = Object.entries(arrays).map(([name, { values, shape: [, many = 0] }]) => {
    return [name, { values: values.subarray(0, rows * many), shape: [rows, many] }];
  });
  return Object.fromEntries(cut) as T;
}

function tokensAt({ prompt, steps }: Writing, count: number): Tokens {
  const written = steps.slice(0, count);
  const many = prompt.texts.length + written.length;
  const ids = new Int32Array(many);
  ids.set(prompt.arrays.ids.values);
  ids.set(written.map(({ id }) => id), prompt.texts.length);
  return {
    ...prompt,
    origin: "generated",
    texts: [...prompt.texts, ...written.map(({ text }) => text)],
    special: [...prompt.special, ...written.map(({ finished }) => finished === "end_token")],
    arrays: {
      ids: { values: ids, shape: [many] },
      offsets: { values: new Int32Array(2 * many), shape: [many, 2] },
    },
  };
}

/** The newest token has been written and not yet read: it has no row. */
function siteAt(writing: Writing, name: string, count: number): Site | null {
  const { prompts, steps } = writing;
  const prompt = prompts.get(name);
  const parsed = parseSite(name);
  const last = steps[Math.min(count, steps.length) - 1];
  const at = last?.sites.indexOf(name) ?? -1;
  if (!prompt || !parsed || !last || at < 0) return null;
  const [heads = 0] = prompt.arrays.rows.shape;
  const { cell } = last;
  const queries = prompt.queries + count - 1;
  const keys = last.keys[at] ?? 0;
  const [height, width] = [Math.ceil(queries / cell), Math.ceil(keys / cell)];
  const values = new Uint8Array(heads * height * width);
  layPrompt(values, prompt, cell, height, width);
  steps.slice(0, count).forEach((step, index) => {
    const row = Math.floor((prompt.queries - 1 + index) / cell);
    const own = bytesOf(step, name);
    const many = own.length / heads;
    for (let head = 0; head < heads; head++) {
      const start = (head * height + row) * width;
      if (cell === 1) values.set(own.subarray(head * many, (head + 1) * many), start);
      else for (let col = 0; col < many; col++) values[start + col] = Math.max(values[start + col] ?? 0, own[head * many + col] ?? 0);
    }
  });
  return {
    type: "site",
    seq: last.seq,
    site: name,
    ...parsed,
    heads,
    queries,
    keys,
    causal: prompt.causal,
    cell,
    rule: "max",
    encoding: "sqrt",
    measures: [],
    labels: [],
    seconds: 0,
    arrays: {
      overview: { values, shape: [heads, height, width] },
      scale: { values: new Float32Array(heads).fill(1), shape: [heads] },
      measures: { values: new Float32Array(0), shape: [0, heads] },
    },
  };
}

/** Where the prompt was pooled into larger cells than the rows, each fills all that it covers. */
function layPrompt(values: Uint8Array, prompt: PromptRows, cell: number, height: number, width: number): void {
  const [heads = 0, rows = 0, cols = 0] = prompt.arrays.rows.shape;
  const many = Math.max(1, prompt.cell / cell);
  const [down, right] = [Math.min(height, Math.ceil(prompt.queries / cell)), Math.min(width, Math.ceil(prompt.keys / cell))];
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < down; row++) {
      const from = (head * rows + Math.floor(row / many)) * cols;
      const to = (head * height + row) * width;
      for (let col = 0; col < right; col++)
        values[to + col] = BYTES[prompt.arrays.rows.values[from + Math.floor(col / many)] ?? 0] ?? 0;
    }
  }
}

const converted = new WeakMap<Step, Map<string, Uint8Array>>();

/** A step's row of one site in eight bits. Cost: converts it, once. */
function bytesOf(step: Step, name: string): Uint8Array {
  const known = converted.get(step) ?? new Map<string, Uint8Array>();
  converted.set(step, known);
  const ready = known.get(name);
  if (ready) return ready;
  const own = rowsOf(step, name);
  const bytes = new Uint8Array(own.length);
  for (let at = 0; at < own.length; at++) bytes[at] = BYTES[own[at] ?? 0] ?? 0;
  known.set(name, bytes);
  return bytes;
}

/** A step's row of one site, head after head. */
function rowsOf({ sites, heads, keys, cell, arrays }: Step, name: string): Uint16Array {
  let start = 0;
  for (let at = 0; at < sites.length; at++) {
    const many = (heads[at] ?? 0) * Math.ceil((keys[at] ?? 0) / cell);
    if (sites[at] === name) return arrays.rows.values.subarray(start, start + many);
    start += many;
  }
  return new Uint16Array(0);
}

/** A part of a map, each weight for itself. */
export interface Part {
  site: string;
  head: number;
  rows: readonly [number, number];
  cols: readonly [number, number];
}

/**
 * The weights of a part as they came, off by 8e-6 at most; null where rows were pooled, or are not here.
 */
export function weightsAt(writing: Writing, { site, head, rows, cols }: Part): Float32Array | null {
  const prompt = writing.prompts.get(site);
  if (!prompt || writing.steps[0]?.cell !== 1) return null;
  const width = cols[1] - cols[0];
  const weights = new Float32Array((rows[1] - rows[0]) * width);
  const [, promptRows = 0, promptCols = 0] = prompt.arrays.rows.shape;
  for (let row = rows[0]; row < rows[1]; row++) {
    const step = writing.steps[row - prompt.queries + 1];
    let values: Uint16Array;
    if (row < prompt.queries - 1) {
      if (prompt.cell !== 1) return null;
      const start = (head * promptRows + row) * promptCols;
      values = prompt.arrays.rows.values.subarray(start, start + promptCols);
    } else {
      const own = step && rowsOf(step, site);
      const [heads = 1] = prompt.arrays.rows.shape;
      if (!own?.length) return null;
      values = own.subarray((head * own.length) / heads, ((head + 1) * own.length) / heads);
    }
    const to = (row - rows[0]) * width;
    for (let col = cols[0]; col < cols[1]; col++) weights[to + col - cols[0]] = (values[col] ?? 0) / FULL;
  }
  return weights;
}
