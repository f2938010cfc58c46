/** What is pointed at in a comparison, in words: both weights, their difference, and the tokens of either run. */
import { share, signedShare } from "../../dom/numbers";
import { say } from "../../language/say";
import { readWeight } from "../../plot/reading";
import type { Comparison, PairOfPlaces, Side } from "../../state/compare";
import type { Explorer } from "../../state/explorer";
import { namesOf, sequencesOf, type Site } from "../../state/run";
import type { Readings } from "./readings";

const ALL = 1;

export function wordsOf(
  name: Side | "difference",
  places: PairOfPlaces,
  site: Site,
  explorer: Explorer,
  comparison: Comparison,
  readings: Readings,
): string[] {
  const [a, b] = (["a", "b"] as const).map((side) => weightAt(side));
  const both = say("A {a}, B {b}", { a: a ?? "–", b: b ?? "–" });
  const changed = difference();
  const line = changed === null ? both : `${both}, ${say("difference {difference}", { difference: signedShare(changed) })}`;
  const pairs = (["a", "b"] as const).flatMap((side) => pairOf(side) ?? []);
  const alone = a === null || b === null ? [say("No partner in the other run")] : [];
  return name === "difference" && changed !== null
    ? [signedShare(changed), both, ...pairs]
    : [line, ...alone, ...pairs];

  function weightAt(side: Side): string | null {
    const run = comparison.runOf(side);
    const [row, col] = [places.row[side], places.col[side]];
    const own = run.sites.get(site.site);
    const head = explorer.selection.value?.head;
    if (row === null || col === null || !own || !run.id || head === undefined) return null;
    const { rectangles, floors } = readings.of(side);
    const map = { run: run.id, site: site.site, head };
    return share(readWeight(own, map, row, col, ALL, rectangles, floors).weight);
  }

  function difference(): number | null {
    const selected = explorer.selection.value;
    const [row, col] = [places.row.a, places.col.a];
    const own = comparison.first.sites.get(site.site);
    const run = readings.compared.value;
    const isShared = places.row.b !== null && places.col.b !== null;
    if (!selected || row === null || col === null || !own || !run || !isShared) return null;
    return readings.difference({ run, ...selected }, own, row, col);
  }

  function pairOf(side: Side): string[] | null {
    const [row, col] = [places.row[side], places.col[side]];
    if (row === null && col === null) return null;
    const { rows, columns } = sequencesOf(site);
    const run = comparison.runOf(side);
    const nameOf = (place: number | null, sequence: typeof rows) =>
      place === null ? "–" : `${namesOf(run, sequence)[place] ?? place} (${place})`;
    return [`${side.toUpperCase()}: ${nameOf(row, rows)} → ${nameOf(col, columns)}`];
  }
}
