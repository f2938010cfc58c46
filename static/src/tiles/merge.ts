/**
 * Lines of weights put together: of several heads, and of the tokens that make one word.
 *
 * What a word receives is summed over its tokens, and its own view is the mean over them: so a word's row still
 * sums to 1.
 */
import type { Line } from "./links";

/** The mean of lines of one length, token by token. */
export function meanLine(lines: readonly Line[]): Line | null {
  const [first] = lines;
  if (!first || lines.length === 1) return first ?? null;
  const values = first.values.map((_, index) => {
    const sum = lines.reduce((total, line) => total + (line.values[index] ?? 0), 0);
    return sum / lines.length;
  });
  return { values, exact: lines.every(({ exact }) => exact) };
}

/** The sum of lines of one length, token by token. */
export function sumLine(lines: readonly Line[]): Line | null {
  const mean = meanLine(lines);
  return mean && lines.length > 1 ? { ...mean, values: mean.values.map((value) => value * lines.length) } : mean;
}

/** One value for each group of tokens. */
export function perGroup(line: Line, groups: readonly (readonly number[])[], how: "sum" | "mean"): Line {
  const values = Float32Array.from(groups, (tokens) => {
    const sum = tokens.reduce((total, token) => total + (line.values[token] ?? 0), 0);
    return how === "sum" ? sum : sum / Math.max(1, tokens.length);
  });
  return { values, exact: line.exact };
}
