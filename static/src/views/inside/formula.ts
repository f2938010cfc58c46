/** The way from q·k to the weight, line by line, with this pair's own numbers and what each step means. */
import { exactShare, real } from "../../dom/numbers";
import { say } from "../../language/say";
import type { PairReading } from "../../tiles/pairs";

export interface FormulaLine {
  name: string;
  /** What this step brings in; empty where it only takes what stands above. */
  operand: string;
  /** What stands after it. */
  result: string;
  meaning: string;
}

export function formulaOf(pair: PairReading): FormulaLine[] {
  if (pair.rule === "whole") return [];
  const lines = [...scoreLines(pair), ...biasLines(pair)];
  return pair.hidden_by.length || pair.score === null ? lines : [...lines, ...weightLines(pair, pair.score)];
}

/** Why nothing passes between the two, a sentence for each rule that hides them. */
export function hiddenSentences({ hidden_by }: PairReading): string[] {
  const reasons: Record<string, string> = {
    causal: say("Hidden: the key comes later in the text than the token that looks."),
    window: say("Hidden: the key lies outside the window that this layer sees."),
    pattern: say("Hidden: the key is not in the pattern of keys that this layer sees."),
    documents: say("Hidden: the key belongs to another document."),
    padding: say("Hidden: the key is padding."),
    bias: say("Hidden: the model's own mask shuts the key out."),
    edit: say("Hidden: an edit of this run cuts the two apart."),
  };
  return hidden_by.map((rule) => reasons[rule] ?? say("Hidden by {rule}.", { rule }));
}

function scoreLines(pair: PairReading): FormulaLine[] {
  const { rule, product, relative, scale, scaled, softcap, capped } = pair;
  const isDot = rule === "dot";
  const lines = [
    {
      name: isDot ? "q·k" : "v·tanh(q + k)",
      operand: "",
      result: real(product),
      meaning: isDot
        ? say("The bars above, summed: how well the query fits the key.")
        : say("The bars above, summed. This model adds query and key; there is no q·k."),
    },
  ];
  if (relative !== null)
    lines.push({
      name: say("+ relative key"),
      operand: real(relative),
      result: real(product + relative),
      meaning: say("The query times a learned key for this distance."),
    });
  lines.push({
    name: say("× scale"),
    operand: real(scale),
    result: real(scaled),
    meaning: scaleMeaning(pair),
  });
  if (softcap !== null)
    lines.push({
      name: say("softcap"),
      operand: `±${real(softcap)}`,
      result: real(capped),
      meaning: say("Bends large scores back: they never pass the cap."),
    });
  return lines;
}

function scaleMeaning({ scale, products }: PairReading): string {
  const isUsual = Math.abs(scale * Math.sqrt(products.length) - 1) < 1e-6;
  return isUsual
    ? say("1/√{width}: keeps the scores of wide heads in range.", { width: products.length })
    : say("A factor of this model's own.");
}

function biasLines({ biases, capped }: PairReading): FormulaLine[] {
  const names: Record<string, [string, string]> = {
    alibi: [say("+ ALiBi"), say("Takes away more the further the key is.")],
    t5: [say("+ relative bias"), say("A learned number for this distance.")],
    bias: [say("+ the model's bias"), say("What the model adds to this pair.")],
    edit: [say("+ edit"), say("What an edit of this run adds.")],
  };
  let result = capped;
  return Object.entries(biases).map(([bias, value]) => {
    result += value;
    const [name, meaning] = names[bias] ?? [`+ ${bias}`, ""];
    return { name, operand: real(value), result: real(result), meaning };
  });
}

function weightLines({ log_sum_exp, factor, weight, sink }: PairReading, score: number): FormulaLine[] {
  const normaliser = log_sum_exp ?? 0;
  const rowMeaning =
    sink === null
      ? say("One number for the whole row: it makes the row sum to 1.")
      : say("One number for the whole row and its learned sink, whose score is {sink}.", { sink: real(sink) });
  const lines = [
    {
      name: say("− log-sum-exp"),
      operand: real(normaliser),
      result: real(score - normaliser),
      meaning: rowMeaning,
    },
    {
      name: "exp",
      operand: "",
      result: exactShare(Math.exp(score - normaliser)),
      meaning: factor === null ? say("The weight: the key's share of the row.") : say("The key's share of the row."),
    },
  ];
  if (factor !== null)
    lines.push({
      name: say("× edit"),
      operand: real(factor),
      result: exactShare(weight),
      meaning: say("An edit of this run scales the weight afterwards."),
    });
  return lines;
}
