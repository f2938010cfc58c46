/** Sweeps and estimates over HTTP: what a plan takes, one plan in several variants, its table, its end. */
import { json } from "./http";
import type { Plan, TrainingRecord } from "./trainings";

export type SweepKind = "table3" | "scaling";

/** What a plan takes; GET /api/v1/openapi.json says what each number is. */
export interface PlanCosts {
  parameters: number;
  tokens_per_step: number;
  flops: number;
  weights_bytes: number;
  gradients_bytes: number;
  optimiser_bytes: number;
  activations_bytes: number;
  memory_bytes: number;
  disk_bytes: number;
  seconds: number | null;
  watt_hours: number | null;
  machine: { flops_per_s: number | null; memory_bytes: number | null; watts: number | null };
  misfit: { field: string; message: string } | null;
}

export interface SweepRow {
  name: string;
  group: string;
  changes: Record<string, unknown>;
  /** The training's. */
  id: string;
  state: TrainingRecord["state"];
  page: string;
  error: { message: string } | null;
  parameters: number | null;
  tokens: number | null;
  seconds: number | null;
  metrics: Record<string, number> | null;
  /** Metrics less the base's. */
  relative: Record<string, number> | null;
}

/** L = irreducible + size_factor / N^size_exponent + tokens_factor / D^tokens_exponent. */
export interface PowerLaw {
  irreducible: number;
  size_factor: number;
  size_exponent: number;
  tokens_factor: number;
  tokens_exponent: number;
  error: number;
  /** FLOPs, and the parameters and tokens on which they are best spent. */
  optima: [number, number, number][];
}

export interface SweepRecord {
  id: string;
  kind: SweepKind;
  plan: Omit<Plan, "text">;
  page: string;
  rows: SweepRow[];
  law: PowerLaw | null;
}

export interface SweepSummary {
  id: string;
  kind: SweepKind;
  assignment: Plan["assignment"];
  page: string;
  created_at: string;
  rows: number;
  ended: number;
}

export function estimatePlan(plan: Plan, signal: AbortSignal): Promise<PlanCosts> {
  return post("/api/v1/trainings/estimate", plan, signal);
}

export async function listVariants(kind: SweepKind, plan: Plan): Promise<string[]> {
  const { rows } = await post<{ rows: { name: string }[] }>("/api/v1/sweeps/variants", { kind, plan });
  return rows.map(({ name }) => name);
}

export function startSweep(kind: SweepKind, plan: Plan, rows: readonly string[]): Promise<SweepRecord> {
  return post("/api/v1/sweeps", { kind, plan, rows });
}

export async function listSweeps(): Promise<SweepSummary[]> {
  return (await json<{ sweeps: SweepSummary[] }>("/api/v1/sweeps")).sweeps;
}

export function readSweep(id: string): Promise<SweepRecord> {
  return json(`/api/v1/sweeps/${encodeURIComponent(id)}`);
}

export function cancelSweep(id: string): Promise<SweepRecord> {
  return post(`/api/v1/sweeps/${encodeURIComponent(id)}/cancel`, {});
}

function post<T>(address: string, body: object, signal: AbortSignal | null = null): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  return json<T>(address, { method: "POST", headers, body: JSON.stringify(body), signal });
}
