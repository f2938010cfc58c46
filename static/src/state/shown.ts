/** What stands in the map's place now, for the frame around it. */
import type { Site } from "../wire/messages";

export interface MapState {
  site: Site;
  head: number;
  /** The weight that takes the last colour. */
  top: number;
  /** 1 where every weight in sight is exact. */
  cell: number;
  /** What is in sight, half-open. */
  rows: readonly [number, number];
  cols: readonly [number, number];
  sharp: boolean;
  zoomed: boolean;
  failure: string | null;
  /** For how many rows the threshold is on its way; all their weights are drawn. */
  floorsAwaited: number;
  floorsFailure: string | null;
}
