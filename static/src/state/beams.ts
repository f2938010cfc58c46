/** A beam search as a tree of texts: tokens that only one text goes through stand together. */
import type { Beams } from "../wire/messages";

export interface BeamBranch {
  text: string;
  /** Of all tokens up to the end of this text, in nats. */
  total: number;
  /** The place among the found texts, the best 0; null where it was not found, or does not end here. */
  rank: number | null;
  /** Whether the best text goes through it. */
  isBest: boolean;
  children: BeamBranch[];
}

interface Node {
  text: string;
  total: number;
  children: number[];
}

export function beamTree(events: readonly Beams[]): BeamBranch[] {
  const nodes: Node[] = [];
  const roots: number[] = [];
  const parents: number[] = [];
  for (const { first, texts, arrays } of events) {
    texts.forEach((text, place) => {
      const number = first + place;
      const parent = arrays.parents.values[place] ?? -1;
      nodes[number] = { text, total: arrays.totals.values[place] ?? 0, children: [] };
      parents[number] = parent;
      (nodes[parent]?.children ?? roots).push(number);
    });
  }
  const best = events.at(-1)?.best ?? [];
  const path = new Set<number>();
  for (let at = best[0] ?? -1; at >= 0; at = parents[at] ?? -1) path.add(at);
  return roots.flatMap(branch);

  function branch(start: number): BeamBranch[] {
    let node = nodes[start];
    let number = start;
    let text = "";
    while (node) {
      text += node.text;
      const [only, second] = node.children;
      const isEnd = best.includes(number);
      if (only === undefined || second !== undefined || isEnd || path.has(only) !== path.has(number)) {
        const rank = best.indexOf(number);
        const children = node.children.flatMap(branch);
        return [{ text, total: node.total, rank: rank < 0 ? null : rank, isBest: path.has(start), children }];
      }
      number = only;
      node = nodes[only];
    }
    return [];
  }
}
