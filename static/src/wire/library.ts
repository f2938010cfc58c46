/** The library over HTTP: what is on its way, what can be changed of a model, how it is taken out. */
import { type Example, json, type Model, type Visibility } from "./http";

export interface ArrivingFile {
  id: string;
  /** With its folders. */
  name: string;
  size_bytes: number;
  arrived_bytes: number;
  /** Where its bytes go, by tus. */
  address: string;
}

export interface Arrival {
  id: string;
  name: string;
  state: "uploading" | "importing" | "uploaded" | "inspecting" | "ready" | "refused";
  /** Of an import: "owner/name@revision". */
  source: string;
  size_bytes: number;
  arrived_bytes: number;
  files: ArrivingFile[];
  error: { code: string; message: string; field: string | null; limit: number | null } | null;
  /** What was left out or rewritten, in sentences. */
  notes: string[];
  /** The model that came of it. */
  model: string | null;
  visibility: Visibility;
  created_at: string;
  expires_at: string;
}

/** Used bytes count what is on its way. */
export interface Quota {
  person_used_bytes: number;
  person_limit_bytes: number;
  site_used_bytes: number;
  site_limit_bytes: number;
  free_bytes: number;
  model_limit_bytes: number;
}

export interface LibraryReading {
  arrivals: Arrival[];
  quota: Quota;
  /** The hub that imports come from; null where imports are off. */
  hub: string | null;
  may_upload: boolean;
}

export interface ModelChange {
  name?: string;
  sentence?: string;
  licence?: string;
  visibility?: Visibility;
  examples?: Example[];
}

/** What goes with a model. */
export interface Removal {
  runs: number;
  others_runs: number;
  trainings: number;
  has_lens: boolean;
  freed_bytes: number;
  kept_bytes: number;
}

export function readLibrary(): Promise<LibraryReading> {
  return json("/api/v1/library");
}

/** `like` is the model that weights without a config.json are built like. */
export function declareArrival(name: string, files: readonly { name: string; size_bytes: number }[], like: string | null): Promise<Arrival> {
  return json("/api/v1/arrivals", asJson("POST", { name, files, like }));
}

export async function cancelArrival(id: string): Promise<void> {
  await json<void>(`/api/v1/arrivals/${encodeURIComponent(id)}`, { method: "DELETE" });
}

export function importModel(source: string, token: string): Promise<Arrival> {
  return json("/api/v1/imports", asJson("POST", { source, token }));
}

export function changeModel(id: string, change: ModelChange): Promise<Model> {
  return json(modelAddress(id), asJson("PATCH", change));
}

export function readRemoval(id: string): Promise<Removal> {
  return json(`${modelAddress(id)}/removal`);
}

export function removeModel(id: string): Promise<Removal> {
  return json(modelAddress(id), { method: "DELETE" });
}

export function downloadAddress(id: string): string {
  return `${modelAddress(id)}/download`;
}

function modelAddress(id: string): string {
  return `/api/v1/models/${encodeURIComponent(id)}`;
}

function asJson(method: string, body: unknown): RequestInit {
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}
