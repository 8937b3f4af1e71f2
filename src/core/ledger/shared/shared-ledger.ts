import type { BackendClient } from '../../backend/client.js';
import type { Backend } from '../../backend/port.js';
import type { StoredRun } from '../../backend/records.js';
import { type Awaitable, chain, settle } from '../../internal/awaitable.js';
import { closed } from '../../internal/errors.js';
import type { NodeContext } from '../../node-context.js';
import type { LedgerHost } from '../host.js';
import type {
  BackendSnapshot,
  ClaimVerdict,
  Elsewhere,
  EndStatus,
  EverywhereStop,
  EverywhereVerdict,
  Ledger,
  LedgerCandidate,
  LedgerRun,
  LockQuestion,
  LockVerdict,
  SessionStop,
  StopVerdict,
} from '../ledger.js';
import { StoredStops } from '../stored-stops.js';
import { ClaimRequests } from './claim-requests.js';
import { EndRequests } from './end-requests.js';
import { Intents } from './intents.js';
import { Lease } from './lease.js';
import { ListedStops } from './listed-stops.js';
import { LockRequests } from './lock-requests.js';
import { OtherNodes } from './other-nodes.js';
import { Reconciliation } from './reconcile.js';
import { Records } from './records.js';
import { RunWatch } from './run-watch.js';
import { Sending } from './sending.js';
import { StopRequests } from './stop-requests.js';

const NOTHING: readonly never[] = Object.freeze([]);

/**
 * The ledger over a backend. It remembers no debts beside the records: what is owed is read off the comparison of a
 * record with what is here.
 */
export class SharedLedger implements Ledger {
  readonly elsewhere: Elsewhere;
  readonly storedStops: StoredStops;
  readonly #context: NodeContext;
  readonly #client: BackendClient;
  readonly #host: LedgerHost;
  readonly #records: Records;
  readonly #sending: Sending;
  readonly #claims: ClaimRequests;
  readonly #stops: StopRequests;
  readonly #ends: EndRequests;
  readonly #locks: LockRequests;
  readonly #watch: RunWatch;
  readonly #lease: Lease;
  readonly #intents: Intents;
  #unsubscribe: (() => void) | undefined = undefined;
  #isClosed = false;

  constructor(context: NodeContext, client: BackendClient, host: LedgerHost) {
    this.#context = context;
    this.#client = client;
    this.#host = host;
    const listed = new ListedStops(client.nodeId, host);
    this.#records = new Records({
      context,
      client,
      host,
      listed,
      reconcile: (view) => {
        reconciliation.reconcile(view);
        this.#stops.resend(view);
        if (view.kept !== undefined) this.#watch.saw(view.kept);
      },
      hearsGap: () => this.#watch.lookAtAll(),
      isLost: () => void this.#lost(),
    });
    this.#watch = new RunWatch(context, client, (sessionKey, by) => this.#watches(sessionKey, by));
    this.#lease = new Lease(context, client, host, () => this.#records.readAll());
    this.storedStops = new StoredStops(context, ({ sessionKey, number }) => {
      if (sessionKey === undefined) this.#forgetListed(number);
      else this.#stops.forget(sessionKey, number);
    });
    const sending = new Sending(context, client, host, this.#records);
    const ends = new EndRequests(sending, (run) => this.#lease.outcomeUnknown(run));
    const stops = new StopRequests(sending, this.storedStops);
    const locks = new LockRequests(sending);
    this.#sending = sending;
    this.#claims = new ClaimRequests(sending, ends);
    this.#stops = stops;
    this.#ends = ends;
    this.#locks = locks;
    this.#intents = new Intents({
      client,
      host,
      stored: this.storedStops,
      nextAttempt: () => sending.nextAttempt(),
      forget: (number) => this.#forgetListed(number),
    });
    const reconciliation = new Reconciliation(client.nodeId, host, listed, {
      end: (view, run, status) => ends.end(view, run, status),
      endUnknown: (view, run) => ends.endUnknown(view, run),
      announce: (view, run) => ends.announce(view, run),
      askOutcome: (view, run) => ends.askOutcome(view, run),
      mark: (view, run) => stops.mark(view, run),
      unlockUnknown: (view, token, runId) => locks.unlockUnknown(view, token, runId),
    });
    this.elsewhere = new OtherNodes(client, this.#watch);
  }

  get scope(): Backend['scope'] {
    return this.#client.scope;
  }

  readonly isShared = true;

  get isSynchronous(): boolean {
    return this.#client.isSynchronous;
  }

  get isOpen(): boolean {
    return this.#lease.isOpen;
  }

  whenOpen(): Promise<void> {
    return this.#lease.whenOpen();
  }

  sharesRecordsWith(other: Ledger): boolean {
    return other instanceof SharedLedger && other.#client.isOfSameBackend(this.#client);
  }

  claim(candidate: LedgerCandidate): Awaitable<ClaimVerdict> {
    if (this.isOpen) return this.#claim(candidate);
    return this.whenOpen().then(() => this.#claim(candidate));
  }

  stop<R>(stop: SessionStop, installed: (verdict: StopVerdict) => R): Awaitable<R> {
    return this.#stops.stop(this.#records.view(stop.sessionKey), stop, installed);
  }

  stopEverywhere(stop: EverywhereStop): Awaitable<EverywhereVerdict> {
    const request = { ...stop, attempt: this.#sending.nextAttempt(), number: undefined };
    const asked = this.#client.stopEverywhere(request, ({ number }) => {
      // Also of an answer that comes after its bound: nobody else would forget it.
      if (this.#isClosed) this.#forgetListed(number);
      else this.storedStops.keep({ sessionKey: undefined, number }, stop.requester, 'listed');
      return number;
    });
    return chain<number, EverywhereVerdict>(asked, (number) => {
      return settle<readonly StoredRun[], EverywhereVerdict>(
        () => this.#client.readActive(),
        (runs) => ({ runs: runs.filter((run) => run.nodeId !== this.#client.nodeId && run.listSince < number) }),
        (error) => {
          this.#context.onError(error);
          return { runs: NOTHING };
        },
      );
    });
  }

  keepIntent(stop: EverywhereStop): Awaitable<unknown> {
    return this.#intents.keep(stop);
  }

  end(run: LedgerRun, status: EndStatus): void {
    this.#ends.end(this.#records.view(run.sessionKey), run, status);
  }

  announce(run: LedgerRun): void {
    if (run.generation > 0) this.#ends.announce(this.#records.view(run.sessionKey), run);
  }

  lock<R>(question: LockQuestion, installed: (verdict: LockVerdict) => R): Awaitable<R> {
    const ask = (): Awaitable<R> => this.#locks.lock(this.#records.view(question.sessionKey), question, installed);
    if (this.isOpen) return ask();
    return this.whenOpen().then(() => {
      // It was open again because nobody looks any more.
      if (this.#isClosed) throw closed();
      return ask();
    });
  }

  unlock(sessionKey: string, token: number, runId: string | undefined): Awaitable<boolean> {
    return this.#locks.unlock(this.#records.view(sessionKey), token, runId);
  }

  check(sessionKey: string, run: LedgerRun | undefined, token: number | undefined): Awaitable<boolean> {
    if (!this.isOpen) return this.whenOpen().then(() => this.check(sessionKey, run, token));
    const asked = run === undefined ? undefined : { runId: run.id, generation: run.generation };
    return chain<boolean, boolean>(this.#client.check({ sessionKey, run: asked, token }), (stands) => {
      if (stands) return this.isOpen || this.whenOpen().then(() => this.check(sessionKey, run, token));
      // The record says why, and what it says is done in the tick of its answer.
      return chain<boolean, boolean>(this.#records.look(this.#records.view(sessionKey)), () => false);
    });
  }

  disown(run: StoredRun): void {
    this.#ends.endUnknown(this.#records.view(run.sessionKey), run);
  }

  forget(run: LedgerRun): void {
    const { sessionKey, id: runId, generation } = run;
    settle(
      () => this.#client.forget(sessionKey, { sessionKey, runId, generation }),
      () => {},
      (error) => run.onError(error),
    );
  }

  /** A run was granted: from now on the lease matters. */
  started(): void {
    this.#lease.watch();
  }

  idle(sessionKey: string): void {
    this.#records.tidyIfAny(sessionKey);
  }

  subscribe(): void {
    this.#unsubscribe = this.#client.subscribe(this.#records);
  }

  get idleTimers(): number {
    return this.storedStops.timers + (this.#lease.isWatching ? 1 : 0);
  }

  get state(): BackendSnapshot {
    const { scope, aliveMs, hasLease, inFlight } = this.#client;
    const lease = hasLease ? { leaseMs: Math.round(aliveMs) } : {};
    return { scope, open: this.isOpen, ...lease, inFlight, unsent: this.unsent.length };
  }

  get unsent(): string[] {
    return this.#records.unsent;
  }

  async flush(): Promise<void> {
    await this.#records.flush();
    await this.#client.sent();
  }

  close(): void {
    this.#isClosed = true;
    this.#intents.close();
    this.#unsubscribe?.();
    this.storedStops.clear();
    this.#watch.close();
    this.#sending.isClosed = true;
    this.#records.close();
    this.#lease.close();
  }

  release(): Awaitable<void> {
    return this.#client.close();
  }

  /** Behind the lease: a generation that is given while nothing may start would be one that nobody ends. */
  #claim(candidate: LedgerCandidate): Awaitable<ClaimVerdict> {
    const pending = this.#intents.pendingFor(candidate.run.id);
    if (pending !== undefined) return pending.then(() => this.claim(candidate));
    return this.#claims.claim(this.#records.view(candidate.run.sessionKey), candidate);
  }

  #watches(sessionKey: string, by: number): void {
    const view = this.#records.view(sessionKey);
    view.watchers += by;
    this.#records.tidy(view);
  }

  #forgetListed(number: number): void {
    settle(
      () => this.#client.forgetListed(number),
      () => {},
      (error) => this.#context.onError(error),
    );
  }

  /**
   * Read first: a stop that was recorded in the meantime is the outcome. What is still running then is lost. Where the
   * record can be read it also has the last word: the next run may replace one that is cut here before this is heard.
   */
  async #lost(): Promise<void> {
    const keys = [...this.#host.sessionKeys()];
    const isRead = await this.#records.readAll();
    for (const key of keys) {
      const left = this.#host.runs(key).filter(({ stage }) => stage === 'running' || stage === 'ending');
      this.#host.cut(left, LOST);
      if (!isRead) for (const run of left) run.undecidable();
    }
    this.#lease.lost();
  }
}

const LOST = { reason: 'heartbeat-lost', requester: undefined, supersededBy: undefined, record: 'untold' } as const;
