/** One's runs as the page lists and changes them. */
import { addressOfRun, json } from "./http";

export interface RunSummary {
  id: string;
  kind: "trace" | "generate" | "train";
  model: string | null;
  state: "queued" | "running" | "finished" | "failed" | "cancelled";
  title: string;
  text: string | null;
  target: string | null;
  picture: string | null;
  tags: string[];
  pinned: boolean;
  visible: boolean;
  mine: boolean;
  created_at: string;
  page: string;
}

export interface Wanted {
  search: string;
  state: string;
  kind: string;
  model: string;
  tag: string;
  pinned?: boolean;
}

export interface Changes {
  title?: string;
  tags?: string[];
  pinned?: boolean;
  visible?: boolean;
}

export function listRuns(wanted: Wanted, cursor: string | null, signal: AbortSignal): Promise<{ runs: RunSummary[]; next: string | null }> {
  const given = Object.entries({ ...wanted, cursor }).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return json(`/api/v1/runs?${query}`, { signal });
}

export function changeRun(id: string, changes: Changes): Promise<RunSummary> {
  const headers = { "Content-Type": "application/json" };
  return json(addressOfRun(id), { method: "PATCH", headers, body: JSON.stringify(changes) });
}

export function deleteRun(id: string): Promise<void> {
  return json(addressOfRun(id), { method: "DELETE" });
}

export function thumbnailOf(id: string): string {
  return `${addressOfRun(id)}/thumbnail`;
}
