/** From weights to lines: which are drawn, how opaque, and in what order. */
import { FLOATS_PER_LINE } from "../../gl/line_shape";
import type { Lines } from "../../gl/lines";
import { rampShare, type ScaleName, weightAt } from "../../gl/scale";
import type { Weights } from "../../tiles/rectangles";

export interface Weaving {
  /** From a weight to a line's opacity; a weight of 1 is a full line by default. */
  scale: ScaleName;
  /** The weight of a full line, where it is not 1. */
  top?: number;
  /** Where heads rest: those lines are fainter. */
  isSink(col: number): boolean;
}

export interface Woven extends Lines {
  /** The first row that is here. */
  row: number;
  /** The lines of rows from `row` on begin here; one more than there are rows. */
  starts: number[];
}

/** Fainter lines cannot be seen. */
const LEAST_OPACITY = 0.02;
const SINK_OPACITY = 0.2;

/** Lines of bands that follow one another; in each, one rectangle of each head, by lane, null while on its way. */
export function weave(bands: readonly (readonly (Weights | null)[])[], weaving: Weaving): Woven {
  const spool = new Spool(weaving);
  const starts: number[] = [];
  let first: number | null = null;
  for (const [from, to, heads] of byRows(bands)) {
    first ??= from;
    // Rows that are still on their way have no lines.
    while (starts.length < from - first) starts.push(spool.count);
    for (let row = from; row < to; row++) {
      starts.push(spool.count);
      for (const { weights, lane } of heads) {
        const start = (row - weights.rows[0]) * weights.width;
        for (let col = 0; col < weights.width; col++)
          spool.add(row, weights.cols[0] + col, weights.values[start + col] ?? 0, lane);
      }
    }
  }
  starts.push(spool.count);
  return { ...spool.lines(), row: first ?? 0, starts };
}

/** Lines of one token, from a line of weights for each head. */
export function weaveOne(
  side: "rows" | "cols",
  index: number,
  heads: readonly (Float32Array | null)[],
  weaving: Weaving,
): Lines {
  const spool = new Spool(weaving);
  heads.forEach((values, lane) =>
    values?.forEach((weight, other) =>
      side === "rows" ? spool.add(index, other, weight, lane) : spool.add(other, index, weight, lane),
    ),
  );
  return spool.lines();
}

/** The lines of some rows, as a range of all. */
export function rangeOf({ row, starts, count }: Woven, rows: readonly [number, number]): [number, number] {
  const at = (index: number) => starts[Math.min(starts.length - 1, Math.max(0, index - row))] ?? count;
  return [at(rows[0]), at(rows[1])];
}

type HeadRows = { weights: Weights; lane: number };

/** Rectangles beside one another belong to the same rows. */
function* byRows(bands: readonly (readonly (Weights | null)[])[]): Generator<[number, number, HeadRows[]]> {
  const groups = new Map<number, { to: number; heads: HeadRows[] }>();
  for (const band of bands) {
    band.forEach((weights, lane) => {
      if (!weights) return;
      const group = groups.get(weights.rows[0]) ?? { to: weights.rows[1], heads: [] };
      groups.set(weights.rows[0], group);
      group.heads.push({ weights, lane });
    });
  }
  for (const from of [...groups.keys()].sort((a, b) => a - b)) {
    const group = groups.get(from);
    if (group) yield [from, group.to, group.heads];
  }
}

class Spool {
  #values = new Float32Array(1024 * FLOATS_PER_LINE);
  readonly #least: number;
  count = 0;

  constructor(private readonly weaving: Weaving) {
    this.#least = weightAt(LEAST_OPACITY, weaving.top ?? 1, weaving.scale);
  }

  add(row: number, col: number, weight: number, lane: number): void {
    if (weight < this.#least || weight <= 0) return;
    const { scale, isSink, top = 1 } = this.weaving;
    const opacity = rampShare(weight, top, scale) * (isSink(col) ? SINK_OPACITY : 1);
    const at = this.count * FLOATS_PER_LINE;
    if (at === this.#values.length) {
      const longer = new Float32Array(2 * at);
      longer.set(this.#values);
      this.#values = longer;
    }
    this.#values[at] = row;
    this.#values[at + 1] = col;
    this.#values[at + 2] = opacity;
    this.#values[at + 3] = lane;
    this.count++;
  }

  lines(): Lines {
    return { values: this.#values, count: this.count };
  }
}
