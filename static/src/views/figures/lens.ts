/** The lens as it stands, as a figure: what each layer would say at the positions in its window. */
import { share } from "../../dom/numbers";
import { drawCells } from "../../figures/cells";
import type { Figure } from "../../figures/figure";
import { lensScript } from "../../figures/script";
import { rampOf } from "../../gl/ramp";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { depthName, type LensCell, lensRows } from "../../state/lens";
import { namesOf } from "../../state/run";
import { tokenName } from "../../state/text";
import type { LensReading } from "../../tiles/lenses";
import { modelName, originOf } from "./origin";

const NONE = -1;

/** null where no lens is shown. */
export async function lensFigure(explorer: Explorer, reading: LensReading | null): Promise<Figure | null> {
  const { model } = explorer.run.value;
  if (!reading || !model) return null;
  const { layers, positions, tuned, truth } = reading;
  const rows = lensRows(reading);
  const names = namesOf(explorer.run.value, reading.sequence);
  const cols = (rows[0]?.cells ?? []).map(({ position }) => names[position] ?? String(position));
  const values = { model: modelName(explorer), a: positions[0], b: positions[1] - 1 };
  const title = tuned
    ? say("{model}, tuned lens, positions {a} to {b}", values)
    : say("{model}, logit lens, positions {a} to {b}", values);
  const origin = await originOf(explorer, title, `${tuned ? "tuned-" : ""}lens-${positions.join("-")}`);
  const cells = rows.flatMap((row) => row.cells);
  const many = cells[0]?.guesses.length ?? 0;
  const shape = [layers.length, cols.length];
  const numbers = (of: (number | null)[], none: number) => of.map((value) => value ?? none);
  return {
    file: origin.file,
    draw: (measure) =>
      drawCells(
        {
          title,
          notes: [say("the likeliest token after each layer; underlined where it is the true one")],
          rows: rows.map(({ depth }) => depthName(depth)),
          cols,
          cells: cells.map(({ guesses, truth: known }) => ({
            text: tokenName(guesses[0]?.text ?? ""),
            share: guesses[0]?.probability ?? 0,
            isMarked: known?.rank === 0,
          })),
          ramp: rampOf("light"),
          legend: say("probability"),
          format: share,
        },
        measure,
      ),
    arrays: {
      ids: { values: Int32Array.from(layers.flatMap(({ ids }) => ids.flat())), shape: [...shape, many] },
      probabilities: {
        values: Float32Array.from(layers.flatMap(({ probabilities }) => probabilities.flat())),
        shape: [...shape, many],
      },
      truth: { values: Int32Array.from(numbers(truth, NONE)), shape: [cols.length] },
      truth_probabilities: {
        values: Float32Array.from(layers.flatMap((layer) => numbers(layer.truth_probabilities, 0))),
        shape,
      },
      truth_ranks: { values: Int32Array.from(layers.flatMap((layer) => numbers(layer.truth_ranks, NONE))), shape },
      tokens: cols,
    },
    table: [
      ["depth", "position", "token", ...headsOf(many), "true", "true_probability", "true_rank"],
      ...rows.flatMap(({ depth, cells: own }) => own.map((cell, col) => [depth, cell.position, cols[col] ?? "", ...lineOf(cell)])),
    ],
    script: lensScript(origin, { positions, many, tunedOf: tuned ? model : null }),
  };
}

function headsOf(many: number): string[] {
  return Array.from({ length: many }, (_, order) => [`guess_${order + 1}`, `probability_${order + 1}`]).flat();
}

function lineOf({ guesses, truth }: LensCell): (string | number)[] {
  const guessed = guesses.flatMap(({ text, probability }) => [text, probability]);
  return [...guessed, ...(truth ? [truth.text, truth.probability, truth.rank] : ["", "", ""])];
}
