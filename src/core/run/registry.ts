import type { Entry } from '../abort/entry.js';
import { AbortRegistry } from '../abort/registry.js';
import { BackendClient } from '../backend/client.js';
import type { RunView } from '../events.js';
import { type Awaitable, isThenable } from '../internal/awaitable.js';
import { invalid } from '../internal/errors.js';
import { readSessionKey, type SessionKey } from '../internal/session-key.js';
import { checkFunction, checkObject, checkTag, keysOf } from '../internal/validate.js';
import type { Ledger } from '../ledger/ledger.js';
import { PrivateLedger } from '../ledger/private-ledger.js';
import { SharedLedger } from '../ledger/shared/shared-ledger.js';
import { SessionLock } from '../lock/session-lock.js';
import { NodeContext } from '../node-context.js';
import { type HOST, type Requester, requesterOf } from '../principal.js';
import { Admission, handOver } from './admission.js';
import { Claims } from './claims.js';
import { Duplicates } from './duplicates.js';
import { hostOfLedger } from './ledger-host.js';
import { Lifecycle } from './lifecycle.js';
import { ManagedRun } from './managed-run.js';
import { Nesting } from './nesting.js';
import {
  type ChildOptions,
  checkChildOptions,
  checkRunOptions,
  type RunDefaults,
  type RunOptions,
  type RunSpec,
} from './options.js';
import { neverStarted, type WaitOutcome } from './outcome.js';
import { runToOutcome } from './perform.js';
import { checkRegistryOptions, type RunRegistryOptions } from './registry-options.js';
import { rejected } from './rejected.js';
import { admitInTheEnd } from './repeat.js';
import type { BeginResult, RunResult } from './results.js';
import type { Run } from './run.js';
import type { StartQueue } from './start-queue.js';
import { StopSender } from './stop-sender.js';
import { Takeovers } from './takeovers.js';
import { type SessionView, viewOf } from './view.js';
import { type WaitOptions, wait } from './wait.js';

/** Who reads. */
export interface ReadOptions {
  /** Who asks, from the host's authentication. `HOST`, or left out: the host itself. What it may not read looks absent. */
  readonly requester?: Requester | typeof HOST;
}

export const READ: ReadonlySet<string> = keysOf<ReadOptions>({ requester: true });
const IS_ACTIVE: ReadonlySet<string> = new Set(['kind', 'requester']);

/**
 * Runs with generations: who is current in a session, who waits, who was replaced. Usable alone by
 * loops that own their control flow.
 *
 * @example
 * ```ts
 * import { RunRegistry } from 'runfence';
 *
 * const runs = new RunRegistry();
 * const first = await runs.begin({ sessionKey: 'chat-1' });
 * const second = await runs.begin({ sessionKey: 'chat-1' });
 * if (first.status === 'started' && second.status === 'started') {
 *   console.assert(!first.run.isCurrent() && second.run.isCurrent());
 *   console.assert(second.run.generation > first.run.generation);
 *   first.run.complete();
 *   second.run.complete();
 * }
 * ```
 */
export class RunRegistry {
  /** What stops its runs: `runs.aborts.abort({ runId })`. */
  readonly aborts: AbortRegistry;
  /** The locks that its runs' commits take. */
  readonly locks: SessionLock;
  /** @internal */
  readonly ledger: Ledger;
  /** @internal */
  isDraining = false;
  readonly #runtime: NodeContext;
  readonly #defaults: RunDefaults;
  readonly #lifecycle: Lifecycle;
  readonly #sender: StopSender;
  readonly #duplicates: Duplicates;
  readonly #admission: Admission;
  /** How long a write that hangs, and an epilogue after it, may hold a session's lock after the cut, in ms. @internal */
  readonly savingMs: number;
  /** @internal */
  readonly backendTimeoutMs: number;
  /** Made once: an id that is glued together from three parts is kept as three parts. */
  readonly #idPrefix: string;
  #lastId = 0;

  /**
   * @param options - `backend`, `aborts`, `clock`, `retention`, `defaults`, `onError`
   * @throws `INVALID_OPTIONS` for an unknown name, a wrong type, or an `aborts` that has a registry already
   */
  constructor(options: RunRegistryOptions = {}) {
    const { backend, retention, defaults, bounds, ...given } = checkRegistryOptions(options);
    const runtime = given.aborts?.runtime ?? new NodeContext(given);
    const aborts = given.aborts ?? new AbortRegistry({}, runtime);
    const { lockTimeoutMs = 30_000, writeGraceMs = 5_000, backendTimeoutMs = 2_000, epilogueMs = 1_000 } = bounds;
    this.savingMs = writeGraceMs + epilogueMs;
    const { entries } = aborts;
    const queue = (): StartQueue => admission.queue;
    const ledger: Ledger =
      backend === undefined
        ? new PrivateLedger(runtime)
        : new SharedLedger(
            runtime,
            new BackendClient(backend, runtime.nodeId, runtime.timers, backendTimeoutMs),
            hostOfLedger({ aborts, locks: () => locks, queue }),
          );
    const locks = new SessionLock({ lockTimeoutMs, writeGraceMs }, { runtime, ledger });
    const duplicates = new Duplicates(runtime, ledger.elsewhere);
    const sender = new StopSender({ runtime, ledger, locks, entries, epilogueMs, timeoutMs: backendTimeoutMs });
    aborts.recorder = sender;
    const nesting = new Nesting(runtime, lockTimeoutMs);
    const lifecycle = new Lifecycle({
      aborts,
      ledger,
      locks,
      nesting,
      retention,
      queue,
      child: (parent, childOptions, work) => this.#child(parent, childOptions, work),
    });
    const takeovers = new Takeovers({ aborts, ledger, sender, queue });
    const claims = new Claims({ aborts, ledger, takeovers, duplicates });
    const admission = new Admission({
      host: lifecycle,
      aborts,
      claims,
      takeovers,
      duplicates,
      isDraining: () => this.isDraining,
    });
    this.backendTimeoutMs = backendTimeoutMs;
    this.aborts = aborts;
    this.locks = locks;
    this.ledger = ledger;
    this.#runtime = runtime;
    this.#idPrefix = `${runtime.nodeId}-`;
    this.#defaults = defaults;
    this.#lifecycle = lifecycle;
    this.#sender = sender;
    this.#duplicates = duplicates;
    this.#admission = admission;
    ledger.subscribe();
  }

  /**
   * Begins a run whose control flow is the caller's: end it with `complete()` or `fail()`, or hold
   * it with `await using`, which fails it if its scope ends first.
   *
   * @param options - what the run is, and how it starts
   * @returns `started` with the run; `queued` at once with the run, its position and `started`;
   *   `aborted` (over before it began); `duplicate`; or `rejected` with the cause
   * @throws `INVALID_OPTIONS`, `RUN_ID_CONFLICT`, `BACKEND_UNAVAILABLE`, `GENERATION_EXHAUSTED`
   */
  async begin(options: RunOptions): Promise<BeginResult> {
    return await this.#asHandle(this.admit(options));
  }

  /**
   * As `begin`, without a promise, where the backend answers synchronously, as `memory()` does.
   *
   * @param options - what the run is, and how it starts
   * @returns as `begin`
   * @throws as `begin`; `INVALID_OPTIONS` if the backend answers with promises
   */
  beginSync(options: RunOptions): BeginResult {
    if (!this.ledger.isSynchronous) {
      throw invalid('beginSync needs a backend that answers synchronously: use begin.');
    }
    const spec = checkRunOptions(options, this.#defaults);
    const begun = this.#asHandle(this.#admit(spec, undefined, false));
    if (isThenable(begun)) {
      const error = invalid('The backend says that it answers synchronously, and answered with a promise.');
      // Nobody gets the run that it may come to.
      begun.then(
        (late) => {
          if (late.status === 'started' || late.status === 'queued') late.run.fail(error);
        },
        (error) => this.#runtime.onError(error, spec),
      );
      throw error;
    }
    return begun as BeginResult;
  }

  /**
   * The run of this id on this node, as it is now; also an ended one while it is retained.
   *
   * @param runId - which run
   * @param options - `requester`: who asks; the host itself by default
   * @returns `undefined` if there is none that the requester may read
   */
  get(runId: string, options: ReadOptions = {}): RunView | undefined {
    const mayRead = this.#reader(options);
    const entry = this.aborts.entries.get(runId);
    return entry instanceof ManagedRun && mayRead(entry) ? viewOf(entry) : undefined;
  }

  /**
   * The runs of this node that are queued, running or stopping.
   *
   * @param options - `requester`: who asks; what it may not read is not in the list
   * @returns snapshots, for the host: they name the owners
   * @throws `INVALID_OPTIONS`
   */
  list(options: ReadOptions = {}): RunView[] {
    const mayRead = this.#reader(options);
    const isListed = (run: ManagedRun): boolean => run.isLive || run.status === 'stopping';
    return this.#unquiet().filter(isListed).filter(mayRead).map(viewOf);
  }

  /**
   * Which runs of a session are active, stopping and queued on this node.
   *
   * @param key - which session: its key, or the parts of its key
   * @param options - `requester`: who asks; what it may not read is left out
   * @returns their ids; an unknown session has none
   * @throws `INVALID_OPTIONS`
   */
  session(key: SessionKey, options: ReadOptions = {}): SessionView {
    const sessionKey = readSessionKey('sessionKey', key);
    const mayRead = this.#reader(options);
    const runs = this.#inSession(sessionKey).filter(mayRead);
    const ids = (status: string): string[] => runs.filter((run) => run.status === status).map((run) => run.id);
    const activeRunIds = ids('running');
    return {
      sessionKey,
      hasActiveRun: activeRunIds.length > 0,
      activeRunIds,
      stoppingRunIds: ids('stopping'),
      queuedRunIds: this.#admission.queue.inOrder(sessionKey, ids('queued')),
    };
  }

  /**
   * Whether a run is active in the session on this node. Stopping and queued runs are not.
   *
   * @param key - which session: its key, or the parts of its key
   * @param options - `kind`: only runs of this kind; `requester`: who asks
   * @returns false also for what the requester may not read
   * @throws `INVALID_OPTIONS`
   */
  isActive(key: SessionKey, options: ReadOptions & { readonly kind?: string | undefined } = {}): boolean {
    const sessionKey = readSessionKey('sessionKey', key);
    const { kind, ...read } = checkObject('isActive options', options, IS_ACTIVE);
    if (kind !== undefined) checkTag('kind', kind);
    const mayRead = this.#reader(read);
    return runsOf(this.aborts.entries.presentIn(sessionKey)).some(
      (run) => run.status === 'running' && (kind === undefined || run.kind === kind) && mayRead(run),
    );
  }

  /**
   * Waits until a run has its outcome, which for an aborted one is at the cut.
   *
   * @param runId - which run
   * @param options - `kind`: another kind is unknown; `timeoutMs`: how long to wait, in ms, for ever by
   *   default, 0, a negative number and NaN not at all; `signal`: stops waiting; `requester`
   * @returns the outcome; `timeout`; or `unknown`, also for what the requester may not read
   * @throws the reason of an aborted `signal`; `INVALID_OPTIONS`; `BACKEND_UNAVAILABLE`
   */
  wait(runId: string, options: WaitOptions = {}): Promise<WaitOutcome> {
    return wait(runId, options, {
      runtime: this.#runtime,
      entries: this.aborts.entries,
      elsewhere: this.ledger.elsewhere,
      duplicates: this.#duplicates,
    });
  }

  /** Runs that were aborted by a timeout and were not quiet within their grace. Empty when all is well. */
  abandoned(): RunView[] {
    return [...this.#lifecycle.abandoned].map(viewOf);
  }

  /** Checks and admits, with a plain answer where the backend gives one. @internal */
  admit(options: unknown): Awaitable<BeginResult> {
    return this.#admit(checkRunOptions(options, this.#defaults), undefined, false);
  }

  /** As `admit`, for a caller who is answered at the end of the run. @internal */
  admitInTheEnd(options: unknown): Awaitable<BeginResult> {
    const spec = checkRunOptions(options, this.#defaults);
    const admit = (asked: RunSpec): Awaitable<BeginResult> => this.#admit(asked, undefined, false);
    if (spec.onDuplicate !== 'retry-lost') return admit(spec);
    const caller = this.#lifecycle.nesting.callerOf(spec);
    return admitInTheEnd({ runtime: this.#runtime, entries: this.aborts.entries, spec, caller, admit });
  }

  /** @internal */
  get queued(): ManagedRun[] {
    return this.#admission.queue.all();
  }

  /** Everything that is not quiet. @internal */
  unquiet(): ManagedRun[] {
    return this.#unquiet();
  }

  /** What is held; all 0 when everything has ended and retention has passed. @internal */
  get sizes(): {
    readonly entries: number;
    readonly lanes: number;
    readonly locks: number;
    readonly stops: number;
    readonly timers: number;
  } {
    return {
      entries: this.aborts.entries.size,
      lanes: this.#admission.queue.size,
      locks: this.locks.size,
      stops: this.ledger.storedStops.size,
      timers: this.#runtime.timers.size,
    };
  }

  /** Those of the timers that nothing waits for. @internal */
  get idleTimers(): number {
    return this.ledger.idleTimers;
  }

  /** Forgets what is retained, and lets go of the backend. @internal */
  close(): void {
    this.#sender.close();
    this.#lifecycle.close();
    this.ledger.close();
    this.locks.close();
  }

  #admit(spec: RunSpec, parent: ManagedRun | undefined, isDetached: boolean): Awaitable<BeginResult> {
    if (this.isDraining && parent === undefined) return rejected('draining');
    return this.#admission.admit(spec, spec.runId ?? this.#newId(), parent, isDetached);
  }

  #asHandle(begun: Awaitable<BeginResult>): Awaitable<BeginResult> {
    return isThenable(begun) ? begun.then((late) => handOver(late as BeginResult)) : handOver(begun);
  }

  /** A caller may have taken any id, this one too. */
  #newId(): string {
    let id: string;
    do {
      this.#lastId += 1;
      id = this.#idPrefix + this.#lastId.toString(36);
    } while (this.aborts.entries.get(id) !== undefined);
    return id;
  }

  #reader(options: ReadOptions): (run: ManagedRun) => boolean {
    const requester = requesterOf(checkObject('read options', options, READ));
    return (run) => this.#runtime.authority.may('read', requester, run);
  }

  #inSession(sessionKey: string): ManagedRun[] {
    return runsOf(this.aborts.entries.inSession(sessionKey));
  }

  /** Session by session. */
  #unquiet(): ManagedRun[] {
    const bySession = new Map<string, ManagedRun[]>();
    for (const run of runsOf(this.aborts.entries.unquiet())) {
      const others = bySession.get(run.sessionKey);
      if (others === undefined) bySession.set(run.sessionKey, [run]);
      else others.push(run);
    }
    return [...bySession.values()].flat();
  }

  async #child<T>(parent: ManagedRun, options: ChildOptions, work: (run: Run) => Awaitable<T>): Promise<RunResult<T>> {
    checkFunction('work', work);
    const { spec, isDetached } = checkChildOptions(options, parent.spec, this.#defaults);
    if (parent.status === 'queued') throw parent.closedError();
    if (!parent.isLive) return neverStarted(this.#runtime, { reason: 'parent', detail: parent.detail }) as RunResult<T>;
    return runToOutcome(this.#runtime, () => this.#admit(spec, parent, isDetached), work);
  }
}

function runsOf(entries: readonly Entry[]): ManagedRun[] {
  return entries.filter((entry) => entry instanceof ManagedRun);
}
