import type { BackendClient } from '../../backend/client.js';
import type { Notices } from '../../backend/port.js';
import type { Snapshot, StopList } from '../../backend/records.js';
import type { Answered } from '../../backend/requests.js';
import { type Awaitable, settle } from '../../internal/awaitable.js';
import type { Timer } from '../../internal/timers.js';
import type { NodeContext } from '../../node-context.js';
import type { LedgerHost } from '../host.js';
import type { ListedStops } from './listed-stops.js';
import { SessionView } from './session-view.js';

/** A record whose operation was not answered is read again after so many ms. */
const LOOK_MS = 1_000;

/**
 * What this node has seen of the records. Every answer, notice and read goes through `see`, which makes the node agree
 * with the newest record. A request that was not answered makes it read the record, until it can.
 */
export class Records implements Notices {
  readonly #context: NodeContext;
  readonly #client: BackendClient;
  readonly #host: LedgerHost;
  readonly #listed: ListedStops;
  readonly #reconcile: (view: SessionView) => void;
  readonly #hearsGap: () => void;
  readonly #isLost: () => void;
  readonly #views = new Map<string, SessionView>();
  #timer: Timer | undefined = undefined;
  #mustReadList = false;
  #isClosed = false;

  constructor(options: {
    readonly context: NodeContext;
    readonly client: BackendClient;
    readonly host: LedgerHost;
    readonly listed: ListedStops;
    readonly reconcile: (view: SessionView) => void;
    readonly hearsGap: () => void;
    readonly isLost: () => void;
  }) {
    this.#context = options.context;
    this.#client = options.client;
    this.#host = options.host;
    this.#listed = options.listed;
    this.#reconcile = options.reconcile;
    this.#hearsGap = options.hearsGap;
    this.#isLost = options.isLost;
  }

  view(sessionKey: string): SessionView {
    let view = this.#views.get(sessionKey);
    if (view === undefined) {
      view = new SessionView(sessionKey);
      this.#views.set(sessionKey, view);
    }
    return view;
  }

  /** The newest record that was seen whole. */
  kept(sessionKey: string): Snapshot | undefined {
    return this.#views.get(sessionKey)?.kept;
  }

  get size(): number {
    return this.#views.size;
  }

  get unsent(): string[] {
    return [...this.#views.values()].flatMap(({ unsent }) => unsent);
  }

  /** An answer has come: what is sent while it is installed need not bring its record again. */
  advance(view: SessionView, { version }: Answered): void {
    if (version > view.seen) view.seen = version;
  }

  /** An answer of this node's own operation is installed. Without a record, nothing was changed by others since the last one. */
  see(view: SessionView, answer: Answered): void {
    const { version, snapshot } = answer;
    this.advance(view, answer);
    if (snapshot !== undefined) this.#keep(view, snapshot);
    // An answer may install what an earlier record says something of.
    if (view.kept !== undefined && (snapshot !== undefined || view.kept.version >= version)) this.#agree(view);
    this.#lookForDeferred(view);
    this.tidy(view);
  }

  #lookForDeferred(view: SessionView): void {
    if (view.hasDeferred && !view.isLooking && !this.#isFresh(view)) void this.look(view);
  }

  #isFresh({ kept, seen }: SessionView): boolean {
    return kept !== undefined && kept.version >= seen;
  }

  /** The stops for all nodes, held against what this node has in a session. */
  judgeListed({ key }: SessionView): void {
    this.#listed.judge(key);
  }

  /** A record that was read, or that came with a notice. */
  saw(snapshot: Snapshot): void {
    const view = this.view(snapshot.sessionKey);
    const isBehind = snapshot.version < view.seen;
    if (!isBehind) {
      view.seen = snapshot.version;
      this.#keep(view, snapshot);
    }
    this.#agree(view);
    // A replica that lags behind this node would be read again and again in one tick.
    if (isBehind && view.hasDeferred) this.lookLater(view);
    else this.#lookForDeferred(view);
    this.tidy(view);
  }

  /** Reads a record, and agrees with it. False: it could not be read, and is read again later. */
  look(view: SessionView): Awaitable<boolean> {
    const { mustLook: isAgain } = view;
    const unanswered = [...view.unanswered];
    view.isLooking = true;
    view.mustLook = false;
    if (isAgain) view.givenBack.clear();
    return settle(
      () => this.#client.readSession(view.key, false),
      (snapshot) => {
        view.isLooking = false;
        for (const name of unanswered) view.unanswered.delete(name);
        // What was lost since it was asked for may not be in it.
        if (view.mustLook) this.lookLater(view);
        this.saw(snapshot);
        return true;
      },
      (error) => {
        view.isLooking = false;
        if (!isAgain) this.#context.onError(error, { sessionKey: view.key, runId: undefined });
        this.lookLater(view);
        return false;
      },
    );
  }

  /**
   * @param name - what was not answered
   * @param tell - called if that is news: it may be sent again many times in one outage
   */
  unanswered(view: SessionView, name: string | undefined, tell: () => void = () => {}): void {
    if (name !== undefined) view.unanswered.add(name);
    this.lookLater(view);
    if (name !== undefined && view.told.has(name)) return;
    if (name !== undefined) view.told.add(name);
    tell();
  }

  answered(view: SessionView, name: string): void {
    view.told.delete(name);
  }

  /** Whether to give it back now. A record that has it still after that would have it given back again and again in one tick. */
  givesBack(view: SessionView, name: string): boolean {
    const isFirst = !view.givenBack.has(name);
    if (isFirst) view.givenBack.add(name);
    else this.lookLater(view);
    return isFirst;
  }

  lookLater(view: SessionView): void {
    if (this.#isClosed) return;
    view.mustLook = true;
    this.#timer ??= this.#context.timers.after(LOOK_MS, () => void this.flush());
  }

  /** Reads at once what would be read later. */
  async flush(): Promise<void> {
    this.#context.timers.cancel(this.#timer);
    this.#timer = undefined;
    if (this.#mustReadList) void this.readList();
    const views = [...this.#views.values()].filter((view) => view.mustLook && !view.isLooking);
    await Promise.all(views.map((view) => this.look(view)));
  }

  /** Forgets a session in which this node has nothing any more. */
  tidy(view: SessionView): void {
    if (!view.isIdle || this.#host.isUsing(view.key)) return;
    if (this.#views.get(view.key) === view) this.#views.delete(view.key);
  }

  tidyIfAny(sessionKey: string): void {
    const view = this.#views.get(sessionKey);
    if (view !== undefined) this.tidy(view);
  }

  changed(sessionKey: string, version: number, snapshot?: Snapshot): void {
    const view = this.#views.get(sessionKey);
    if (this.#isClosed || (view !== undefined && version <= view.seen)) return;
    if (snapshot === undefined) void this.look(view ?? this.view(sessionKey));
    // Where nothing is here, a request that came twice may have left something under this node's name.
    else if (view !== undefined || this.#isNamedIn(snapshot)) this.saw(snapshot);
  }

  #isNamedIn({ runs, holder, reserved }: Snapshot): boolean {
    const { nodeId } = this.#client;
    return [...runs, ...reserved].some((one) => one.nodeId === nodeId) || holder?.nodeId === nodeId;
  }

  listed(version: number, list?: StopList): void {
    if (this.#isClosed || version <= this.#listed.version) return;
    if (list === undefined) void this.readList();
    else this.#install(list);
  }

  gap(): void {
    if (this.#isClosed) return;
    void this.readList();
    this.#readNode();
    for (const sessionKey of new Set([...this.#views.keys(), ...this.#host.sessionKeys()])) {
      void this.look(this.view(sessionKey));
    }
    this.#hearsGap();
  }

  lost(): void {
    if (!this.#isClosed) this.#isLost();
  }

  orphaned: Notices['orphaned'] = (runs, acknowledge) => {
    if (!this.#isClosed) this.#host.orphaned(runs, acknowledge);
  };

  /** The list, and the records of what is here. False: not all of it could be read, and the rest is read again later. */
  async readAll(): Promise<boolean> {
    const looks = [...this.#host.sessionKeys()].map((sessionKey) => this.look(this.view(sessionKey)));
    const answers = await Promise.all([this.readList(), ...looks]);
    return !answers.includes(false);
  }

  readList(): Awaitable<boolean> {
    const mustTell = !this.#mustReadList;
    this.#mustReadList = false;
    return settle(
      () => this.#client.readStops(),
      (list) => {
        this.#install(list);
        return true;
      },
      (error) => {
        if (mustTell) this.#context.onError(error);
        this.#mustReadList = true;
        if (!this.#isClosed) this.#timer ??= this.#context.timers.after(LOOK_MS, () => void this.flush());
        return false;
      },
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#context.timers.cancel(this.#timer);
    this.#timer = undefined;
    this.#views.clear();
  }

  /** What the records have under this node's name, and nothing here knows of. */
  #readNode(): void {
    settle(
      () => this.#client.readNode(),
      (snapshots) => {
        for (const snapshot of snapshots) this.saw(snapshot);
      },
      (error) => this.#context.onError(error),
    );
  }

  #install(list: StopList): void {
    if (this.#isClosed || !this.#listed.install(list)) return;
    for (const sessionKey of [...this.#host.sessionKeys()]) {
      const view = this.view(sessionKey);
      // A candidate that the list cuts may be live in the record.
      this.#agree(view);
      this.tidy(view);
    }
  }

  #keep(view: SessionView, snapshot: Snapshot): void {
    if (view.kept === undefined || snapshot.version >= view.kept.version) view.kept = snapshot;
  }

  #agree(view: SessionView): void {
    if (this.#isClosed) return;
    this.#reconcile(view);
    const version = view.kept?.version ?? 0;
    if (version <= view.wokenAt) return;
    view.wokenAt = version;
    this.#host.wake(view.key, version);
  }
}
