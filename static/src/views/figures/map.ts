/** What stands in the map's place, as a figure: the weights in sight, as a map or as lines. */
import type { Figure } from "../../figures/figure";
import { drawMatrix } from "../../figures/matrix";
import type { Arrays } from "../../figures/numbers";
import { mapScript } from "../../figures/script";
import { drawWeave } from "../../figures/weave";
import { share } from "../../dom/numbers";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { labelOf } from "../../state/labels";
import { massOf } from "../../state/reading";
import { namesOf, type SequenceName, sequencesOf, type Site } from "../../state/run";
import type { MapState } from "../../state/shown";
import { headName, headNameInWords, type HeadRef } from "../../state/sites";
import { headsTogether } from "../../state/together";
import { readAllFloors } from "../../tiles/floors";
import { aboveFloors, floorOf, leastFloors } from "../../tiles/mass";
import type { Area } from "../../tiles/rectangles";
import { isSink } from "../../tiles/tops";
import { modelName, originOf } from "./origin";
import { readEach } from "./reading";
import { rowsShown, shownReading } from "./shown";

/** A file of more numbers than this helps nobody; the largest of each cell stand for them. */
const MOST_VALUES = 1 << 20;
/** Beyond so many tokens a side, lines are a tangle, on paper too. */
const MOST_LINED = 100;
/** Okabe and Ito 2008, darkened for paper: css/tokens.css has the same for light pages. */
const PICKS = ["#0072b2", "#b57900", "#008560", "#b4558f", "#2a8fc6", "#c95200", "#8d8500"];
const ALONE = "#4146a8";
const LEAST_LINE = 0.02;

interface Part {
  site: Site;
  heads: { ref: HeadRef; name: string }[];
  rows: readonly [number, number];
  cols: readonly [number, number];
  cell: number;
}

export async function mapFigure(explorer: Explorer, state: MapState | null): Promise<Figure | null> {
  const { id } = explorer.run.value;
  if (!state || !id) return null;
  const isMap = explorer.view.value.drawing === "map";
  const inSight = isMap ? mapPart(state) : linksPart(explorer, state);
  const shown = shownReading(explorer);
  const part = { ...inSight, rows: rowsShown(explorer, inSight.site.site, inSight.rows) };
  const area = { rows: [...part.rows], cols: [...part.cols], cell: part.cell } as Area;
  const heads = await readEach(id, part.heads.map(({ ref }) => shown.mapOf(ref)), area);
  const mass = massOf(explorer.view.value);
  const drawn = mass < 1 ? await withoutWeak(id, part, heads, mass) : heads;
  const largest = heads.reduce((most, values) => values.reduce((a, b) => Math.max(a, b), most), Number.MIN_VALUE);
  const names = { rows: namesIn(explorer, part, "rows"), cols: namesIn(explorer, part, "cols") };
  const named = part.heads.map(({ name }) => name).join(", ");
  const title = `${modelName(explorer)}, ${part.heads.length > 1 ? named : describe(part)}`;
  const about = part.heads.map(({ ref }) => `${ref.site}-${ref.head}`).join("-");
  const origin = await originOf(explorer, title, `${about}-${isMap ? "map" : "links"}${shown.file}`);
  const { rows, cols, cell } = part;
  return {
    file: origin.file,
    draw: (measure) => (isMap ? drawMatrix(matrixOf(), measure) : drawWeave(weaveOf(), measure)),
    arrays: arraysOf(),
    table: tableOf(),
    script: mapScript(origin, {
      heads: part.heads.map(({ ref }) => [ref.site, ref.head] as const),
      rows,
      cols,
      cell,
      ...shown.scripted,
    }),
  };

  function matrixOf() {
    const { scale } = explorer.view.value;
    const { site } = part;
    const reach = site.causal ? site.keys - site.queries : Number.POSITIVE_INFINITY;
    const top = state?.top ?? 1;
    return {
      title,
      notes: notesOf(),
      values: drawn[0] ?? new Float32Array(),
      rows: names.rows,
      cols: names.cols,
      isMasked: (row: number, col: number) => cols[0] + col * cell > rows[0] + (row + 1) * cell - 1 + reach,
      ramp: shown.ramp,
      signed: shown.text.isSigned,
      scale,
      top,
      legend: `${shown.text.number}${scale === "linear" ? "" : `, ${scale}`}`,
      format: shown.tell,
    };
  }

  function weaveOf() {
    const keys = explorer.run.value.sequences[sequencesOf(part.site).columns];
    const colours = part.heads.length > 1 ? PICKS : [ALONE];
    return {
      title,
      notes: notesOf(),
      rows: names.rows,
      cols: names.cols,
      heads: drawn.map((values, index) => ({
        name: part.heads[index]?.name ?? "",
        colour: colours[index % colours.length] ?? ALONE,
        // Lines are drawn for shares of 1: of numbers without a bound they are shares of the largest.
        values: shown.areWeights ? values : values.map((value) => Math.max(0, value / largest)),
      })),
      least: LEAST_LINE,
      isFaint: (col: number) => !explorer.view.value.sink && isSink(part.site, keys, cols[0] + col),
    };
  }

  function notesOf(): string[] {
    const { frame } = explorer.view.value;
    const { site } = part;
    const label = part.heads.length === 1 && shown.areWeights ? labelOf(site, part.heads[0]?.ref.head ?? 0) : null;
    const isPart = rows[0] > 0 || cols[0] > 0 || rows[1] < site.queries || cols[1] < site.keys || frame !== null;
    return [
      ...shown.notes,
      label && (label.value === null ? label.title : `${label.title} ${share(label.value)}`),
      isPart && say("rows {a} to {b} of {rows}, columns {c} to {d} of {cols}", {
        a: rows[0],
        b: rows[1] - 1,
        rows: site.queries,
        c: cols[0],
        d: cols[1] - 1,
        cols: site.keys,
      }),
      cell > 1 && say("each square is the largest of {n} × {n} weights", { n: cell }),
      mass < 1 && say("of each row the strongest weights that hold {share}", { share: share(mass) }),
      mass < 1 && cell > 1 && say("Pooled: a cell stays where one of its weights may be kept."),
      !isMap && shown.areWeights && say("lines weaker than {least} are left out", { least: share(LEAST_LINE) }),
      !isMap && !shown.areWeights && say("the strongest line is {top}, lines weaker than {least} of it are left out", {
        top: shown.tell(largest),
        least: share(LEAST_LINE),
      }),
      !isMap && !explorer.view.value.sink && say("lines to the first token and to special tokens are fainter"),
    ].filter((note): note is string => typeof note === "string");
  }

  function arraysOf(): Arrays {
    const [height, width] = [names.rows.length, names.cols.length];
    const values = new Float32Array(heads.length * height * width);
    heads.forEach((weights, index) => values.set(weights, index * height * width));
    const shape = heads.length === 1 ? [height, width] : [heads.length, height, width];
    return { weights: { values, shape }, row_tokens: names.rows, col_tokens: names.cols };
  }

  /** One head as a square table; several one weight a line. */
  function tableOf(): (string | number)[][] {
    const width = names.cols.length;
    if (heads.length === 1) {
      const weights = heads[0] ?? new Float32Array();
      return [["", ...names.cols], ...names.rows.map((name, row) => [name, ...weights.subarray(row * width, (row + 1) * width)])];
    }
    const lines = heads.flatMap((weights, index) =>
      names.rows.flatMap((from, row) =>
        names.cols.map((to, col): (string | number)[] => {
          return [part.heads[index]?.name ?? "", row, from, col, to, weights[row * width + col] ?? 0];
        }),
      ),
    );
    return [["head", "row", "row_token", "col", "col_token", "weight"], ...lines];
  }
}

function mapPart({ site, head, rows, cols }: MapState): Part {
  let cell = 1;
  const align = ([start, stop]: readonly [number, number], length: number): [number, number] => [
    Math.floor(start / cell) * cell,
    Math.min(length, Math.ceil(stop / cell) * cell),
  ];
  const values = () => Math.ceil((rows[1] - rows[0]) / cell) * Math.ceil((cols[1] - cols[0]) / cell);
  while (values() > MOST_VALUES) cell *= 2;
  const ref = { site: site.site, head };
  const heads = [{ ref, name: headName(site.site, head) }];
  return { site, heads, rows: align(rows, site.queries), cols: align(cols, site.keys), cell };
}

function linksPart(explorer: Explorer, { site, rows, cols }: MapState): Part {
  const { run, view, selection } = explorer;
  const drawn = headsTogether(run.value, view.value.picked, selection.value);
  const cut = ([start, stop]: readonly [number, number], length: number): [number, number] =>
    length <= MOST_LINED ? [0, length] : [start, Math.min(stop, start + MOST_LINED)];
  const heads = drawn.map(({ ref, name }) => ({ ref, name }));
  return { site, heads, rows: cut(rows, site.queries), cols: cut(cols, site.keys), cell: 1 };
}

function describe({ site, heads }: Part): string {
  return headNameInWords(site.site, heads[0]?.ref.head ?? 0);
}

/** The names of the rows or columns; of a cell that of its first token. */
function namesIn(explorer: Explorer, part: Part, side: "rows" | "cols"): string[] {
  const { rows, columns } = sequencesOf(part.site);
  const sequence: SequenceName = side === "rows" ? rows : columns;
  const length = side === "rows" ? part.site.queries : part.site.keys;
  const names = namesOf(explorer.run.value, sequence);
  const [start, stop] = part[side];
  const places = Array.from({ length: Math.ceil((stop - start) / part.cell) }, (_, index) => start + index * part.cell);
  return places.map((place) => (names.length === length ? (names[place] ?? "") : String(place)));
}

function isWhole({ site, cols, cell }: Part): boolean {
  return cell === 1 && cols[0] === 0 && cols[1] === site.keys;
}

/** Of each head what the threshold keeps. Asks a worker where the part does not hold whole rows. */
async function withoutWeak(run: string, part: Part, heads: Float32Array[], mass: number): Promise<Float32Array[]> {
  const { rows, cols, cell } = part;
  const width = Math.ceil((cols[1] - cols[0]) / cell);
  const kept: Float32Array[] = [];
  for (const [index, { ref }] of part.heads.entries()) {
    const weights = heads[index] ?? new Float32Array();
    const floors = isWhole(part)
      ? Float32Array.from({ length: rows[1] - rows[0] }, (_, row) =>
          floorOf(weights.subarray(row * width, (row + 1) * width), mass),
        )
      : leastFloors(await readAllFloors({ run, ...ref }, rows, mass), cell);
    kept.push(aboveFloors(weights, width, floors));
  }
  return kept;
}
