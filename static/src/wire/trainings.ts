/** Trainings over HTTP: plan one, list them, steer one. What they tell comes over their sockets. */
import { say } from "../language/say";
import { sizeOf } from "../language/amounts";
import { ApiError, json } from "./http";

export type AssignmentName =
  | "copy"
  | "reverse"
  | "sort"
  | "induction"
  | "brackets"
  | "repeats"
  | "modular"
  | "dates"
  | "numbers"
  | "text"
  | "masked"
  | "spans"
  | "pairs"
  | "catalogs"
  | "words"
  | "digits"
  | "images";
export type ScheduleName = "cosine" | "noam" | "linear" | "constant";
export type TokenizerKind = "bytes" | "characters" | "bpe" | "wordpiece" | "unigram";
export type LanguagesName = "de-en" | "en-de" | "fr-en" | "en-fr";

/** Every field of `modelcore.training.plan`, which says what each one means. */
export interface Plan {
  assignment: AssignmentName;
  text: string | null;
  /** The id of a stored zip. */
  pictures: string | null;
  languages: LanguagesName;
  /** Models of the library: one that is fine-tuned, one whose tokenizer is taken. */
  start: string | null;
  tokenizer_from: string | null;
  tokenizer: TokenizerKind;
  /** Whether a decoder starts with heads that lean to the tokens before. */
  leaning: boolean;
  layers: number;
  heads: number;
  width: number;
  /** null, and so with positions and norms: what the task has of its own. */
  key_width: number | null;
  positions: "none" | "learned" | "sinusoidal" | "relative_keys" | "t5" | "alibi" | "rotary" | null;
  norm_order: "pre" | "post" | "sandwich" | "output" | null;
  score: "scaled_dot" | "dot" | "multiplicative" | "additive";
  dropout: number;
  label_smoothing: number;
  steps: number;
  batch: number;
  batch_tokens: number;
  accumulate: number;
  length: number;
  learning_rate: number;
  schedule: ScheduleName;
  warmup: number;
  weight_decay: number;
  beta1: number;
  beta2: number;
  clip: number;
  average: number;
  vocabulary: number;
  /** What matrix products are rounded to. */
  precision: "float32" | "bf16" | "fp16";
  recompute: boolean;
  compile: boolean;
  seed: number;
  evaluate_every: number;
  snapshot_every: number;
  checkpoint_every: number;
}

export interface TrainingRecord {
  id: string;
  state: "queued" | "running" | "finished" | "failed" | "cancelled";
  plan: Omit<Plan, "text">;
  /** The library's id of what it made, once it is finished. */
  model: string | null;
  error: { code: string; message: string } | null;
  /** How many queued trainings come before it; null where it does not wait. */
  place: number | null;
  /** How many workers that train live now. */
  trainers: number;
  /** Whether it ended early and a checkpoint is kept. */
  can_go_on: boolean;
  /** The training whose last checkpoint it began with. */
  goes_on_from: string | null;
  /** The name of its row, where it is one of a sweep's. */
  row: string | null;
  created_at: string;
  socket: string;
  page: string;
}

export type Order =
  | { action: "pause" | "go_on" | "checkpoint" | "sample" }
  /** Times the planned rate, from the next step on. */
  | { action: "learning_rate"; factor: number };

export function startTraining(plan: Plan): Promise<TrainingRecord> {
  return post("/api/v1/trainings", plan);
}

export async function listTrainings(): Promise<TrainingRecord[]> {
  return (await json<{ trainings: TrainingRecord[] }>("/api/v1/trainings")).trainings;
}

export function readTraining(id: string): Promise<TrainingRecord> {
  return json(addressOf(id));
}

export async function readTrainingText(id: string): Promise<string> {
  return (await json<{ text: string }>(`${addressOf(id)}/text`)).text;
}

/** The server's own limit by default, as for pictures. */
const MOST_ARCHIVE_BYTES = 64 * 2 ** 20;

/** Stores a zip of labelled pictures and gives its id. The server opens none: whether it can be read, its training says. */
export async function storeArchive(file: Blob): Promise<string> {
  if (file.size > MOST_ARCHIVE_BYTES) {
    const message = say("This file has {size}. A zip may have {most}.", { size: sizeOf(file.size), most: sizeOf(MOST_ARCHIVE_BYTES) });
    throw new ApiError(message, "archive_too_long", 0, "pictures");
  }
  const headers = { "Content-Type": "application/zip" };
  return (await json<{ id: string }>("/api/v1/archives", { method: "POST", headers, body: file })).id;
}

export function steerTraining(id: string, order: Order): Promise<TrainingRecord> {
  return post(`${addressOf(id)}/orders`, order);
}

/** As a training of its own; `rate_factor` multiplies the planned learning rate, null leaves it as it was. */
export function goOnWithTraining(id: string, rate_factor: number | null): Promise<TrainingRecord> {
  return post(`${addressOf(id)}/go_on`, { rate_factor });
}

function addressOf(id: string): string {
  return `/api/v1/trainings/${encodeURIComponent(id)}`;
}

function post(address: string, body: object): Promise<TrainingRecord> {
  return json(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}
