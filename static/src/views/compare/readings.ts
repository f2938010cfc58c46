/** What is read of both runs' maps and of their difference, for whoever draws or names them. */
import type { Comparison, Side } from "../../state/compare";
import { hasMapsToAskFor, type Site } from "../../state/run";
import { derive, Store } from "../../state/store";
import { coveringTiles, type MapArea } from "../../tiles/cover";
import { comparedKey, Differences } from "../../tiles/differences";
import { Floors } from "../../tiles/floors";
import { type HeadMap, Rectangles } from "../../tiles/rectangles";

export interface OfRun {
  rectangles: Rectangles;
  floors: Floors;
}

export class Readings {
  readonly differences = new Differences();
  /** What stands for both runs where a map names its run; null until they can be compared. */
  readonly compared: Store<string | null>;
  /** The difference that takes the last colour. */
  readonly top = new Store(1);
  /** The part of the difference that is in sight, in the first run's rows and columns. */
  sight: MapArea | null = null;
  readonly #second: OfRun;

  constructor(
    comparison: Comparison,
    private readonly first: OfRun,
  ) {
    const rectangles = new Rectangles();
    this.#second = { rectangles, floors: new Floors(rectangles) };
    comparison.other.subscribe((run) => rectangles.follow(run.id, !hasMapsToAskFor(run)));
    this.compared = derive([comparison.compared, comparison.found], () =>
      comparison.found.value && comparison.compared.value ? comparedKey(comparison.compared.value) : null,
    );
    this.compared.subscribe((key) => this.differences.follow(key, false));
  }

  of(side: Side): OfRun {
    return side === "a" ? this.first : this.#second;
  }

  difference(map: HeadMap, site: Site, row: number, col: number): number | null {
    const [tile] = coveringTiles({ rows: site.queries, cols: site.keys }, { rows: [row, row + 1], cols: [col, col + 1] }, 1);
    return this.differences.at(map, tile, row, col);
  }

  onArrival(listener: () => void): void {
    for (const readings of [this.first.rectangles, this.#second.rectangles, this.differences]) readings.onArrival(listener);
  }
}
