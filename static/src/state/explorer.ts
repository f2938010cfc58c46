/**
 * The explorer's state and the few things a person can do to it. Views read the stores and call the actions;
 * only this file starts runs and opens their streams.
 */
import type { Changes } from "./heads";
import { exampleOf, pointedHead } from "./examples";
import { branchOrder, traceOrder, writeOrder } from "./orders";
import { Pace } from "./pace";
import { type QueuePlace, watchQueue } from "./queue";
import { EMPTY_RUN, fold, queuedRun, type Run, type RunRequest } from "./run";
import { GREEDY } from "./sampling";
import { selectedHead } from "./selection";
import { type HeadRef, isSameHead, sitesOfModel } from "./sites";
import { modelsOfShare, readShare } from "./shared";
import { derive, Store } from "./store";
import { MOST_PICKED, openView, type TokenRef, type View, type ViewAddress } from "./view";
import { Player } from "./player";
import { type Part, runAt, weightsAt } from "./writing";
import {
  ApiError,
  type BranchTree,
  cancelRun,
  type Choices,
  createRun,
  type Example,
  idOfShare,
  listModels,
  type Model,
  readRun,
  readTree,
  type RunOrder,
  socketOfRun,
  storePicture,
} from "../wire/http";
import { requestFrames, type SharedPage } from "../wire/shares";
import { ENDINGS, type RunEvent } from "../wire/messages";
import { type Connection, openRunSocket, type RunSocket, socketAddress } from "../wire/socket";

/** So long what was shown stays after a press of Enter, lest the page goes blank between two answers. */
const GRACE_MS = 250;

export type { BranchRecord, BranchTree, Choices, Example, Model } from "../wire/http";
export type { Connection } from "../wire/socket";

/** What a view of another run has not: places in the old text, and what that was compared with. */
const ELSEWHERE = { token: null, key: null, frame: null, step: null, with: null, pairs: "" } as const;

export class Explorer {
  readonly models = new Store<Model[] | null>(null);
  /** How many workers lived when the models were asked for; null before. */
  readonly workers = new Store<number | null>(null);
  /** The model of the next run; the run's own model is in the run. */
  readonly model = new Store<Model | null>(null);
  /** The run as it is shown: of one that writes, as it was after the tokens that have been played. */
  readonly run = new Store<Run>(EMPTY_RUN);
  /** All that the run has told. */
  readonly told = new Store<Run>(EMPTY_RUN);
  readonly player: Player;
  /** How the next text that is written chooses its tokens. */
  readonly sampling = new Store<Choices>(GREEDY);
  /** The runs that branched off one another, where the shown run writes. */
  readonly tree = new Store<BranchTree | null>(null);
  readonly connection = new Store<Connection | null>(null);
  readonly view: Store<View>;
  /** The view without its frame, for whoever has nothing to do when a map is moved or zoomed. */
  readonly choices: Store<Omit<View, "frame">>;
  readonly hover = new Store<TokenRef | null>(null);
  /** The head that is shown. */
  readonly selection: Store<HeadRef | null>;
  /** The token whose links are shown: the kept one, else the one under the pointer. */
  readonly active: Store<TokenRef | null>;
  /** Where the run stands in the queue, while it waits. */
  readonly queue = new Store<QueuePlace | null>(null);
  /** While two runs are compared: how far each head changed, by `changeKey`. */
  readonly change = new Store<Changes | null>(null);
  /** What went wrong last, in words, until the next action. */
  readonly problem = new Store<ApiError | null>(null);
  /** When the last event of the run arrived. */
  lastEventMs = 0;

  #socket: RunSocket | null = null;
  readonly #pace: Pace;
  readonly #address: ViewAddress;
  readonly #featuredRun: string | null;
  readonly #stored: Promise<ArrayBuffer> | null;

  constructor(
    private readonly window: Window,
    featuredRun: string | null,
    /** The page shows this share, and nothing can be asked of a worker. */
    readonly shared: SharedPage | null = null,
  ) {
    // Asked for before the page is laid out, which takes as long as the answer.
    this.#stored = shared && requestFrames(idOfShare(shared.slug));
    this.#address = openView(window, shared?.view);
    this.#pace = new Pace(() => this.#show(), window);
    this.view = this.#address.view;
    this.player = new Player(this.view);
    this.player.shown.subscribe(() => this.#show());
    this.choices = derive([this.view], () => {
      const { frame: _, ...choices } = this.view.value;
      return choices;
    });
    this.selection = derive([this.run, this.view, this.models], () =>
      selectedHead(this.run.value, this.view.value, this.pointed),
    );
    this.active = derive([this.view, this.hover], () => this.view.value.token ?? this.hover.value);
    this.#featuredRun = featuredRun;
    window.addEventListener("popstate", () => this.#openAddress());
    window.addEventListener("online", () => this.#socket?.retry());
  }

  async start(): Promise<void> {
    this.#openAddress();
    await this.readModels();
    this.#chooseModelOfRun();
  }

  /** Asks which models there are now, and in which state; the chosen one stays chosen. */
  async readModels(): Promise<void> {
    try {
      const { models, workers } = this.shared ? modelsOfShare(this.shared) : await listModels();
      this.workers.set(workers);
      // What is told again as it was shall not redraw a list that somebody walks through.
      if (JSON.stringify(models) === JSON.stringify(this.models.value)) return;
      this.models.set(models);
      this.model.update((chosen) => models.find(({ id }) => id === chosen?.id) ?? chosen);
    } catch (error) {
      this.#explain(error);
    }
  }

  /**
   * Starts a run and shows it under its own address, without leaving the page. `second` is a target or the second text
   * of a pair, as the model takes it; `show` is the head to open on.
   */
  async submit(text: string, second: string | null, show: HeadRef | null = null): Promise<boolean> {
    const model = this.model.value;
    if (!model) return false;
    return this.#begin(traceOrder(model, text, second), show);
  }

  /** The same for a model that reads pictures: a file that somebody chose, or the id of a stored one. */
  async submitPicture(file: Blob | string, show: HeadRef | null = null): Promise<boolean> {
    const model = this.model.value;
    if (!model) return false;
    this.problem.set(null);
    try {
      const picture = typeof file === "string" ? file : await storePicture(file);
      return await this.#begin({ kind: "trace", model: model.id, picture }, show);
    } catch (error) {
      this.#explain(error);
      return false;
    }
  }

  /** Has the model write on from the text, or after the target, where it has a source. */
  async write(text: string, target: string | null): Promise<boolean> {
    const model = this.model.value;
    if (!model) return false;
    return this.#begin(writeOrder(model, text, target, this.sampling.value));
  }

  /** Writes on from the shown text up to a place, with another token there: a run of its own, which knows where from. */
  async branch(place: number, token: number): Promise<boolean> {
    const order = branchOrder(this.told.value, place, token, this.sampling.value);
    return order !== null && this.#begin(order);
  }

  /** Shows another run of the tree. */
  walkTo(run: { id: string; page: string }): void {
    this.#address.enter(run.page, { ...this.view.value, ...ELSEWHERE });
    this.#openAddress();
  }

  async #begin(order: RunOrder, show: HeadRef | null = null): Promise<boolean> {
    this.problem.set(null);
    try {
      const created = await createRun(order);
      // The head in sight stays in sight; a place in the old text does not.
      const isSameModel = this.run.value.model === order.model;
      const { site, head } = show ?? ((isSameModel && this.selection.value) || { site: null, head: 0 });
      this.hover.set(null);
      const { kind, model, text = null, target = null, text_pair = null, picture = null } = order;
      const view = { ...this.view.value, ...ELSEWHERE, site, head };
      this.#address.enter(created.page, view);
      this.#expect({ id: created.id, kind, model, text, target, text_pair, picture });
      this.#pace.within(GRACE_MS);
      this.#follow(created.socket);
      return true;
    } catch (error) {
      this.#explain(error);
      return false;
    }
  }

  select({ site, head }: HeadRef): void {
    this.view.update((view) => ({
      ...view,
      site,
      head,
      key: site === this.selection.value?.site ? view.key : null,
      frame: site === this.selection.value?.site ? view.frame : null,
    }));
  }

  /** Keeps a token, and with a row of the map the key that it looks at; null lets go. */
  lock(token: TokenRef | null, key: number | null = null): void {
    this.view.update((view) => ({ ...view, token, key: token && key }));
  }

  /** Adds a head to those that are drawn together, or takes it out; beyond MOST_PICKED the oldest goes. */
  pick(ref: HeadRef): void {
    this.view.update((view) => {
      const others = view.picked.filter((known) => !isSameHead(known, ref));
      const picked = others.length < view.picked.length ? others : [...others, ref].slice(-MOST_PICKED);
      return { ...view, picked };
    });
  }

  /** Whether the shown maps are made of the rows that came with the tokens. */
  get isAsWritten(): boolean {
    return this.run.value !== this.told.value;
  }

  /** A part of a map as it came while the text was written; null where the server is to be asked. */
  weightsOf(map: { run: string; site: string; head: number }, area: Pick<Part, "rows" | "cols">): Float32Array | null {
    const { writing, id } = this.told.value;
    if (!writing || map.run !== id || !this.isAsWritten) return null;
    return weightsAt(writing, { ...map, ...area });
  }

  /** The example that this run reads, as its model's card has it. */
  get example(): Example | null {
    return exampleOf(this.run.value, this.#examplesOfRun, this.selection.value);
  }

  /** The head that the card of the run's model points at: for this text, else for its first example. */
  get pointed(): HeadRef | null {
    return pointedHead(this.run.value, this.#examplesOfRun);
  }

  /** The model that reads this run's text. */
  get modelOfRun(): Model | null {
    const { model } = this.run.value;
    return this.models.value?.find(({ id }) => id === model) ?? null;
  }

  get #examplesOfRun(): Example[] {
    return this.modelOfRun?.examples ?? [];
  }

  reconnect(): void {
    this.#socket?.retry();
  }

  /** Ends the run that waits or runs now. What it found stays. */
  async stop(): Promise<void> {
    const { id } = this.told.value;
    try {
      if (id) await cancelRun(id);
    } catch (error) {
      // It has just ended by itself.
      if (!(error instanceof ApiError && error.status === 409)) this.#explain(error);
    }
  }

  #openAddress(): void {
    const named = /^\/runs\/([^/]+)\/?$/.exec(this.window.location.pathname)?.[1] ?? this.#featuredRun;
    const id = this.shared ? idOfShare(this.shared.slug) : named;
    if (id === this.told.value.id) return;
    this.problem.set(null);
    if (id && this.shared && this.#stored) void this.#openShare(id, this.shared, this.#stored);
    else if (id) void this.#open(decodeURIComponent(id));
    else {
      this.#socket?.close();
      this.#tell(EMPTY_RUN);
    }
  }

  /** All of a share comes at once; its socket tells when it is withdrawn. */
  async #openShare(id: string, { run }: SharedPage, stored: Promise<ArrayBuffer>): Promise<void> {
    const { kind, model, text, target, text_pair, picture = null, generate } = run;
    this.#expect({ id, kind, model, text, target, text_pair, picture });
    if (generate) this.sampling.set(generate);
    this.#pace.now();
    const learn = (event: RunEvent) => this.#learn(fold(this.told.value, event));
    // The first layer is on the screen while the others are made ready.
    const after = await readShare(stored, learn, () => this.#pace.seen());
    this.#pace.now();
    this.#follow(socketOfRun(id), after);
  }

  async #open(id: string): Promise<void> {
    this.#expect({ id, kind: "trace", model: null, text: null, target: null, text_pair: null });
    this.#pace.now();
    this.#follow(socketOfRun(id));
    try {
      const { kind, model, text, target, text_pair, picture = null, error, generate } = await readRun(id);
      if (this.told.value.id !== id) return;
      this.#tell({ ...this.told.value, kind, model, text, target, text_pair, picture });
      // A run that failed before a worker had it sends no frames.
      if (error) this.#tell({ ...this.told.value, phase: "failed", failure: error });
      if (generate) this.sampling.set(generate);
      if (kind === "generate") void this.#readTree();
      this.#chooseModelOfRun();
    } catch (error) {
      // An unknown run is told by its socket, in the map's place.
      if (!(error instanceof ApiError && error.status === 404)) this.#explain(error);
    }
  }

  #expect(request: RunRequest): void {
    this.told.set(queuedRun(request));
    this.player.open();
    this.player.follow(this.told.value);
  }

  /** Listens to the run that is told of now. */
  #follow(socketPath: string, after = 0): void {
    this.#socket?.close();
    const { id, kind } = this.told.value;
    if (kind === "generate") void this.#readTree();
    else this.tree.set(null);
    this.lastEventMs = Date.now();
    const isWaiting = () => this.told.value.id === id && this.told.value.phase === "queued";
    if (id) void watchQueue(id, isWaiting, this.queue);
    this.#socket = openRunSocket({
      address: socketAddress(this.window.location, socketPath),
      after,
      onEvent: (event) => {
        this.lastEventMs = Date.now();
        this.#receive(event);
        if (this.tree.value && (event.type === "tokens" || ENDINGS.has(event.type))) void this.#readTree();
      },
      onConnection: (connection) => {
        this.connection.set(connection);
        // What was withdrawn is no longer shown to whoever has it open.
        if (this.shared && connection.state === "refused") this.#tell(EMPTY_RUN);
      },
    });
  }

  /** A token alone changes what is shown when it is played; the first layer is shown at once, and the last, and the end. */
  #receive(event: RunEvent): void {
    this.#learn(fold(this.told.value, event));
    if (event.type === "step") return;
    const { sites } = this.told.value;
    const isAwaited = event.type === "site" && (sites.size === 1 || sites.size === this.#sitesOfRun());
    if (isAwaited || ENDINGS.has(event.type)) this.#pace.now();
    else this.#pace.soon();
  }

  /** What is known of the run now, and shown. */
  #tell(run: Run): void {
    this.#learn(run);
    this.#pace.now();
  }

  #learn(run: Run): void {
    this.told.set(run);
    this.player.follow(run);
  }

  #show(): void {
    this.run.set(runAt(this.told.value, this.player.shown.value));
  }

  /** How many sites it will have; null where its model is not known. */
  #sitesOfRun(): number | null {
    const model = this.models.value?.find(({ id }) => id === this.told.value.model);
    return model ? sitesOfModel(model).length : null;
  }

  async #readTree(): Promise<void> {
    if (this.shared) return;
    const { id } = this.told.value;
    try {
      const tree = id && (await readTree(id));
      if (tree && this.told.value.id === id) this.tree.set(tree);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  #chooseModelOfRun(): void {
    const models = this.models.value;
    if (!models) return;
    const ofRun = models.find(({ id }) => id === this.told.value.model);
    this.model.update((current) => ofRun ?? current ?? models[0] ?? null);
  }

  #explain(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    this.problem.set(error);
  }
}
