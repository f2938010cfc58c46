/** The HTTP API as the page uses it. Every failure is an ApiError whose message can be shown as it is. */
import { sizeOf } from "../language/amounts";
import { say } from "../language/say";
import { type Matrix, readNpy } from "./npy";

export interface Model {
  id: string;
  name: string;
  family: string;
  architecture: "decoder" | "encoder" | "encoder-decoder" | "vision";
  layers: number;
  encoder_layers: number;
  heads: number;
  width: number;
  vocabulary: number;
  positions: number;
  /** What it gives for each place, or for the whole text. */
  output: "vocabulary" | "classes" | "token_classes" | "hidden";
  parameters: number;
  size_bytes: number;
  has_tokenizer: boolean;
  /** Whether it reads two texts as a pair. */
  pairs: boolean;
  /** In a worker's memory, on its way there, on the disk only, or gone. */
  state: "ready" | "loading" | "cold" | "missing";
  sentence?: string | null;
  /** Where its files lie within the project's folder; of others the folder's name alone. */
  folder?: string;
  examples: Example[];
  /** In which most of its weights are stored, as safetensors calls it. */
  dtype?: string;
  /** Who brought it; null where it is everybody's. */
  owner?: string | null;
  can_change?: boolean;
  visibility?: Visibility;
  licence?: string;
  created_at?: string | null;
  last_used_at?: string | null;
}

/** Who may use a model: its owner, whoever has its id, or everybody. */
export type Visibility = "private" | "link" | "site";

/** A text or a picture worth reading with a model, the head to look at, and what is to be seen there. */
export interface Example {
  title: string;
  text: string;
  target: string;
  /** The id of a stored picture, for a model that reads pictures. */
  picture?: string | null;
  site: string;
  head: number;
  finding: string;
}

export interface RunRecord {
  id: string;
  kind: "trace" | "generate";
  model: string;
  state: "queued" | "running" | "finished" | "failed" | "cancelled";
  text: string | null;
  target: string | null;
  text_pair: string | null;
  picture?: string | null;
  /** Of a run that writes. */
  generate: Choices | null;
  page: string;
  socket: string;
  attempt: number;
  /** How many queued runs come before it; null where it does not wait. */
  place: number | null;
  /** About how long it still waits; null where nobody can tell. */
  wait_s: number | null;
  workers: number;
  error: { code: string; message: string } | null;
}

export interface CreatedRun {
  id: string;
  socket: string;
  page: string;
}

/** What is to be read: a text, or the tokens of one. */
export interface RunOrder {
  kind: "trace" | "generate";
  model: string;
  text?: string;
  target?: string;
  text_pair?: string;
  picture?: string;
  ids?: number[];
  target_ids?: number[];
  generate?: Choices;
  parent?: string;
  branched_at?: number;
}

/** How tokens are chosen; null is as the model has it. GET /api/v1/openapi.json says what each number is. */
export interface Choices {
  max_tokens: number;
  temperature: number | null;
  top_k: number | null;
  top_p: number | null;
  min_p: number | null;
  repetition_penalty: number;
  seed: number | null;
  stop_strings: string[];
  beams: number | null;
  length_penalty: number | null;
}

/** A run among those that branched off one another. */
export interface BranchRecord {
  id: string;
  parent: string | null;
  branched_at: number | null;
  /** The token with which it leaves its parent; null until a worker has read it. */
  token: string | null;
  state: RunRecord["state"];
  page: string;
}

export interface BranchTree {
  text: string | null;
  target: string | null;
  /** Parents before their branches. */
  runs: BranchRecord[];
}

export interface Rectangle {
  site: string;
  head: number;
  rows: [number, number];
  cols: [number, number];
  /** 1 is exact; more is the maximum over cell × cell weights. */
  cell: number;
  /** The part of the address that asks for another reading than the weights themselves. */
  reading?: string;
}

/** Which weight of which map. */
export interface PairPlace {
  run: string;
  site: string;
  head: number;
  row: number;
  col: number;
}

/** One weight taken apart; GET /api/v1/openapi.json says what each number is. */
export interface PairReading {
  rule: "dot" | "additive" | "whole";
  turned: boolean | null;
  query: number[];
  key: number[];
  products: number[];
  product: number;
  relative: number | null;
  scale: number;
  scaled: number;
  softcap: number | null;
  capped: number;
  biases: Record<string, number>;
  hidden_by: string[];
  score: number | null;
  log_sum_exp: number | null;
  factor: number | null;
  weight: number;
  sink: number | null;
  seen: number;
  largest_score: number | null;
  strongest: { key: number; weight: number }[];
  implementation: string;
}

/** Some rows of a map summed up. */
export interface TotalsReading {
  /** For each key. */
  received: number[];
  /** For each of the rows, in nats. */
  entropy: number[];
}

/** For each of some rows what a weight must reach to be among the strongest. */
export interface FloorsReading {
  floors: number[];
}

/** Two runs, and the tokens that were paired by hand. */
export interface Compared {
  a: string;
  b: string;
  pairs: string;
}

export interface StrongestKey {
  key: number;
  weight: number;
}

export interface ChangedRow {
  /** Of the first run; `partner` is its place in the second. */
  row: number;
  partner: number;
  distance: number;
  a: StrongestKey;
  b: StrongestKey;
}

export interface ChangedHead {
  site: string;
  head: number;
  /** null where no row says anything. */
  distance: number | null;
  rows: ChangedRow[];
}

/** Heads begin with the one that changed most. */
export interface ComparisonReading {
  a: string;
  b: string;
  alignment: Partial<Record<"encoder" | "decoder", [number, number][]>>;
  heads: ChangedHead[];
  sites: string[];
  rows_read: number[];
  rows_shared: number[];
}

export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    message: string,
    readonly code: string,
    readonly status: number,
    readonly field: string | null = null,
  ) {
    super(message);
  }
}

/** The server's own limit by default. It ends a longer upload half-way, which a browser tells from nothing else. */
const MOST_PICTURE_BYTES = 16 * 2 ** 20;

const SHARE = "share:";

const UNREACHABLE = say("The server does not answer. Check that Headlight is running, then try again.");

/** Where a run is read; a share stands in a run's place, under "share:" and its slug. */
export function addressOfRun(id: string): string {
  return `/api/v1/${pathOf(id)}`;
}

export function socketOfRun(id: string): string {
  return `/ws/${pathOf(id)}`;
}

export function idOfShare(slug: string): string {
  return SHARE + slug;
}

/** Of a shared comparison the second run. */
export function idOfSecond(slug: string): string {
  return `${SHARE}${slug}/second`;
}

function pathOf(id: string): string {
  if (!id.startsWith(SHARE)) return `runs/${encodeURIComponent(id)}`;
  return `shares/${id.slice(SHARE.length).split("/").map(encodeURIComponent).join("/")}`;
}

/** `workers` is how many live now. */
export function listModels(): Promise<{ models: Model[]; workers: number }> {
  return json("/api/v1/models");
}

export function createRun(order: RunOrder): Promise<CreatedRun> {
  return json<CreatedRun>("/api/v1/runs", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(order),
  });
}

/** Stores a picture and gives its id. The server opens no picture: whether it can be read, its run says. */
export async function storePicture(file: Blob): Promise<string> {
  if (file.size > MOST_PICTURE_BYTES) {
    const message = say("This file has {size}. Pictures may have {most}.", {
      size: sizeOf(file.size),
      most: sizeOf(MOST_PICTURE_BYTES),
    });
    throw new ApiError(message, "picture_too_long", 0, "picture");
  }
  const headers = { "Content-Type": "application/octet-stream" };
  return (await json<{ id: string }>("/api/v1/pictures", { method: "POST", headers, body: file })).id;
}

export function readRun(id: string): Promise<RunRecord> {
  return json<RunRecord>(addressOfRun(id));
}

export function readTree(id: string): Promise<BranchTree> {
  return json<BranchTree>(`${addressOfRun(id)}/tree`);
}

export function cancelRun(id: string): Promise<CreatedRun> {
  return json<CreatedRun>(`${addressOfRun(id)}/cancel`, { method: "POST" });
}

export async function readRectangle(run: string, area: Rectangle, signal?: AbortSignal): Promise<Matrix> {
  const query = new URLSearchParams({ rows: area.rows.join(":"), cols: area.cols.join(":") });
  if (area.cell > 1) query.set("cell", String(area.cell));
  const address = `${addressOfRun(run)}/maps/${area.site}/${area.head}?${query}${area.reading ? `&${area.reading}` : ""}`;
  const response = await request(address, { headers: { Accept: "application/x-npy" }, signal: signal ?? null });
  return readNpy(await response.arrayBuffer());
}

export function readPair({ run, site, head, row, col }: PairPlace, signal?: AbortSignal): Promise<PairReading> {
  const query = new URLSearchParams({ row: String(row), col: String(col) });
  const address = `${addressOfRun(run)}/pairs/${site}/${head}?${query}`;
  return json<PairReading>(address, { signal: signal ?? null });
}

export function readTotals(
  map: Pick<PairPlace, "run" | "site" | "head">,
  rows: readonly [number, number],
  signal?: AbortSignal,
): Promise<TotalsReading> {
  const address = `${addressOfRun(map.run)}/maps/${map.site}/${map.head}/totals`;
  return json<TotalsReading>(`${address}?${new URLSearchParams({ rows: rows.join(":") })}`, { signal: signal ?? null });
}

export function readFloors(
  map: Pick<PairPlace, "run" | "site" | "head">,
  rows: readonly [number, number],
  mass: number,
  signal?: AbortSignal,
): Promise<FloorsReading> {
  const address = `${addressOfRun(map.run)}/maps/${map.site}/${map.head}/floors`;
  const query = new URLSearchParams({ mass: String(mass), rows: rows.join(":") });
  return json<FloorsReading>(`${address}?${query}`, { signal: signal ?? null });
}

export async function readComparison({ a, b, pairs }: Compared, signal?: AbortSignal): Promise<ComparisonReading> {
  const query = pairs ? `?${new URLSearchParams({ alignment: pairs })}` : "";
  const reading = await json<ComparisonReading>(comparisonOf(a, b) + query, { signal: signal ?? null });
  // A share does not tell which runs these were.
  return { ...reading, a, b };
}

/** NaN where a row or a column of the first run has no partner in the second. */
export async function readDifference(compared: Compared, area: Rectangle, signal?: AbortSignal): Promise<Matrix> {
  const query = new URLSearchParams({ rows: area.rows.join(":"), cols: area.cols.join(":") });
  if (area.cell > 1) query.set("cell", String(area.cell));
  if (compared.pairs) query.set("alignment", compared.pairs);
  const address = `${comparisonOf(compared.a, compared.b)}/maps/${area.site}/${area.head}?${query}`;
  const response = await request(address, { headers: { Accept: "application/x-npy" }, signal: signal ?? null });
  return readNpy(await response.arrayBuffer());
}

function comparisonOf(a: string, b: string): string {
  if (a.startsWith(SHARE)) return `${addressOfRun(a)}/comparison`;
  return `/api/v1/comparisons/${encodeURIComponent(a)}/${encodeURIComponent(b)}`;
}

export async function json<T>(address: string, init: RequestInit = {}): Promise<T> {
  const headers = { Accept: "application/json", ...init.headers };
  const response = await request(address, { ...init, headers });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export async function request(address: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiError(UNREACHABLE, "unreachable", 0);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<ApiError> {
  try {
    const { error } = await response.json();
    return new ApiError(error.message, error.code, response.status, error.field ?? null);
  } catch {
    const message = say("The server answered {status} without a reason. Try again in a moment.", { status: response.status });
    return new ApiError(message, "unexplained", response.status);
  }
}
