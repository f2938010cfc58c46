/** Shares as the page makes, lists, opens and withdraws them. */
import { addressOfRun, idOfShare, json, type Model, type RunRecord } from "./http";

/** What a page of a share is opened with. */
export interface SharedPage {
  slug: string;
  title: string;
  note: string;
  /** The query of an address. */
  view: string;
}

export interface SharedRecord extends RunRecord {
  shown_model: Model | null;
}

export type Audience = "unlisted" | "signed_in";

export interface ShareOrder {
  run: string;
  view: string;
  title: string;
  note: string;
  audience: Audience;
  expires_at: string | null;
  password: string;
  /** Of which output a gradient in view is. */
  position?: number;
  token?: number;
}

export interface ShareRecord {
  slug: string;
  page: string;
  embed: string;
  run: string | null;
  title: string;
  note: string;
  audience: Audience;
  has_password: boolean;
  expires_at: string | null;
  openings: number;
  size_bytes: number;
  created_at: string;
}

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

export function readShared(slug: string): Promise<SharedRecord> {
  return json(addressOfRun(idOfShare(slug)));
}

/** A run of one's own. */
export function copyShared(slug: string): Promise<{ id: string; page: string }> {
  return json(`${SHARES}/${encodeURIComponent(slug)}/copy`, { method: "POST" });
}
