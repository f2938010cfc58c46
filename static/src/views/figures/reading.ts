/** The same part of many heads' maps, a few at a time: the page's own questions come between. */
import type { HeadRef } from "../../state/sites";
import { type Area, readWeights } from "../../tiles/rectangles";

const AT_ONCE = 4;

/** With the part of the address that asks for another reading than the weights themselves. */
type AskedHead = HeadRef & { reading?: string };

export async function readEach(run: string, heads: readonly AskedHead[], area: Area): Promise<Float32Array[]> {
  const read: Float32Array[] = [];
  for (let start = 0; start < heads.length; start += AT_ONCE) {
    const some = heads.slice(start, start + AT_ONCE).map((ref) => readWeights(run, { ...ref, ...area }));
    read.push(...(await Promise.all(some)).map(({ values }) => values));
  }
  return read;
}
