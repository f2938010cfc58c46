/** Shares: what is shared of the explorer as it stands, and one's own links. */
import type { Explorer } from "./explorer";
import { outputOf, readingOf } from "./reading";
import { isUnderWay } from "./run";
import { Store } from "./store";
import { readView, writeView } from "./view";
import { addressOfRun, ApiError } from "../wire/http";
import { type Audience, copyShared, createShare, type KeptLens, listShares, revokeShare, type ShareRecord } from "../wire/shares";

export type { Audience, FirstHeads, FirstSite, KeptLens, SharedPage, ShareRecord } from "../wire/shares";

/** The window of the lens that is in sight, if it is. */
export type OpenLens = () => Pick<KeptLens, "positions" | "tuned"> | null;

export interface ShareChoices {
  title: string;
  note: string;
  audience: Audience;
  /** Of audience "class" whose people may open it. */
  class_id: string | null;
  password: string;
  /** null: for ever. */
  hours: number | null;
}

/** A class that one teaches or is in. */
export interface OwnClass {
  id: string;
  name: string;
}

const CLASS = "class.";

/** As the page has them. */
export function classesOf(told: string | undefined): OwnClass[] {
  return told ? (JSON.parse(told) as OwnClass[]) : [];
}

/** What of an audience is chosen, in one word of a menu: a class stands there by its id. */
export function choiceOf({ id }: Pick<OwnClass, "id">): string {
  return CLASS + id;
}

export function audienceOf(choice: string): Pick<ShareChoices, "audience" | "class_id"> {
  if (choice.startsWith(CLASS)) return { audience: "class", class_id: choice.slice(CLASS.length) };
  return { audience: choice === "signed_in" ? "signed_in" : "unlisted", class_id: null };
}

const HOUR_MS = 3_600_000;

export class Sharing {
  /** null until they were asked for. */
  readonly own = new Store<ShareRecord[] | null>(null);
  readonly problem = new Store<ApiError | null>(null);

  constructor(
    private readonly explorer: Explorer,
    private readonly openLens: OpenLens,
  ) {}

  /** Whether the run can be shared: it has ended, and has maps. */
  get isReady(): boolean {
    const { run } = this.explorer;
    return run.value.id !== null && !isUnderWay(run.value) && run.value.sites.size > 0;
  }

  /** Shares the run as it is seen now. */
  async share({ hours, ...choices }: ShareChoices): Promise<ShareRecord | null> {
    const run = this.explorer.run.value;
    const view = this.explorer.view.value;
    const selected = this.explorer.selection.value;
    // The page may have chosen the head; whoever opens the link shall see the same.
    const seen = writeView({ ...view, site: selected?.site ?? null, head: selected?.head ?? 0 });
    const output = readingOf(view).name === "gradient" ? outputOf(run, view) : null;
    const of = output && { token: output.token, ...(output.position === null ? {} : { position: output.position }) };
    const expires_at = hours === null ? null : new Date(Date.now() + hours * HOUR_MS).toISOString();
    return this.#trying(async () => {
      const open = this.openLens();
      const lens = open && { positions: open.positions, tuned: open.tuned };
      const made = await createShare({ run: run.id ?? "", view: seen, ...choices, expires_at, lens, ...of });
      this.own.update((own) => [made, ...(own ?? [])]);
      return made;
    });
  }

  /** Where the run is saved as files. */
  files(): { page: string; notebook: string } {
    const run = addressOfRun(this.explorer.run.value.id ?? "");
    const selected = this.explorer.selection.value;
    const seen = selected ? `?${new URLSearchParams({ site: selected.site, head: String(selected.head) })}` : "";
    return { page: `${run}/page`, notebook: `${run}/notebook${seen}` };
  }

  async list(): Promise<void> {
    await this.#trying(async () => this.own.set(await listShares()));
  }

  async revoke(slug: string): Promise<void> {
    await this.#trying(async () => {
      await revokeShare(slug);
      this.own.update((own) => own?.filter((share) => share.slug !== slug) ?? null);
    });
  }

  async #trying<T>(action: () => Promise<T>): Promise<T | null> {
    this.problem.set(null);
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem.set(error);
      return null;
    }
  }
}

/** The address of a run of one's own that begins as this share, seen as the query says. Raises: ApiError. */
export async function copyOf(slug: string, query: string): Promise<string> {
  const { page, second } = await copyShared(slug);
  const view = readView(query);
  return page + writeView({ ...view, with: view.with && second });
}

