/** Shares as the page makes, lists, opens and withdraws them. */
import { decode } from "./frame";
import { addressOfRun, json, type Model, type PairPlace, request, type RunRecord } from "./http";
import type { RunEvent } from "./messages";

/** What a page of a share is opened with. */
export interface SharedPage {
  slug: string;
  title: string;
  note: string;
  /** The query of an address. */
  view: string;
  run: SharedRun;
  shown_model: Model | null;
  lens: KeptLens | null;
  /** The weights whose making was kept. */
  pairs: readonly KeptPair[];
  /** The run that this one is compared with, and its model. */
  second?: SharedRun;
  second_model?: Model | null;
}

export type SharedRun = Pick<RunRecord, "kind" | "model" | "text" | "target" | "text_pair" | "picture" | "generate" | "error">;

/** All heads of a share in little (`webapp/shares/first_heads.py`). */
export interface FirstHeads {
  sites: FirstSite[];
  /** Base64 of each site's bytes as [heads, rows, cols], one site after the other: the share of the last colour's weight. */
  strengths: string;
}

export interface FirstSite {
  site: string;
  heads: number;
  rows: number;
  cols: number;
  /** So many tokens a side one value stands for. */
  cell: number;
  /** A query i sees keys up to i + reach; null where it sees all. */
  reach: number | null;
}

/** The lens as it was open: its window, and all positions that are kept of it; both half-open. */
export interface KeptLens {
  positions: readonly [number, number];
  kept: readonly [number, number];
  tuned: boolean;
}

export type KeptPair = Omit<PairPlace, "run">;

export type Audience = "unlisted" | "signed_in" | "class";

export interface ShareOrder {
  run: string;
  view: string;
  title: string;
  note: string;
  audience: Audience;
  /** Of audience "class". */
  class_id: string | null;
  expires_at: string | null;
  password: string;
  /** Of which output a gradient in view is. */
  position?: number;
  token?: number;
  lens: Pick<KeptLens, "positions" | "tuned"> | null;
}

export interface ShareRecord {
  slug: string;
  page: string;
  embed: string;
  run: string | null;
  title: string;
  note: string;
  audience: Audience;
  /** null also where the class was deleted. */
  class_id: string | null;
  has_password: boolean;
  expires_at: string | null;
  openings: number;
  size_bytes: number;
  created_at: string;
}

const RECORD_BYTES = 8;
const SHARES = "/api/v1/shares";

export function createShare(order: ShareOrder): Promise<ShareRecord> {
  const headers = { "Content-Type": "application/json" };
  return json(SHARES, { method: "POST", headers, body: JSON.stringify(order) });
}

/** One's own, the newest first. */
export async function listShares(): Promise<ShareRecord[]> {
  return (await json<{ shares: ShareRecord[] }>(SHARES)).shares;
}

export function revokeShare(slug: string): Promise<ShareRecord> {
  return json(`${SHARES}/${encodeURIComponent(slug)}/revoke`, { method: "POST" });
}

/** All that a run of a share told, as it is stored. The page has it preloaded. */
export async function requestFrames(id: string): Promise<ArrayBuffer> {
  return (await request(`${addressOfRun(id)}/frames`, {})).arrayBuffer();
}

/** Each frame stands behind its length and its seq. */
export function framesIn(stored: ArrayBuffer): RunEvent[] {
  const numbers = new DataView(stored);
  const events: RunEvent[] = [];
  for (let at = 0; at + RECORD_BYTES <= stored.byteLength; ) {
    const start = at + RECORD_BYTES;
    at = start + numbers.getUint32(at, true);
    // A copy begins at a multiple of 8 bytes, as a frame's arrays need it.
    events.push(decode(stored.slice(start, at)));
  }
  return events;
}

/** A run of one's own; of a comparison two. */
export function copyShared(slug: string): Promise<{ id: string; page: string; second: string | null }> {
  return json(`${SHARES}/${encodeURIComponent(slug)}/copy`, { method: "POST" });
}
