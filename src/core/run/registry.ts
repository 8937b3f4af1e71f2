import type { AbortReason } from '../abort/reason.js';
import { saysReason } from '../abort/reason.js';
import { AbortRegistry, targetOf } from '../abort/registry.js';
import { memory } from '../backend/memory.js';
import type { Backend, StoredRun } from '../backend/port.js';
import { type Awaitable, chain, isThenable, settle } from '../internal/awaitable.js';
import type { Clock } from '../internal/clock.js';
import { invalid, RunfenceError } from '../internal/errors.js';
import { Operations } from '../internal/operations.js';
import { type OnError, Runtime } from '../internal/runtime.js';
import { SignalLinks } from '../internal/signals.js';
import { checkBackend, checkCount, checkFunction, checkLimit, checkObject, checkTag } from '../internal/validate.js';
import { SessionLock } from '../lock/session-lock.js';
import { copyRequester, type Requester } from '../principal.js';
import { Admission, abortedBeforeStart } from './admission.js';
import { Claims } from './claims.js';
import { Duplicates } from './duplicates.js';
import type { RunHost } from './host.js';
import { ManagedRun } from './managed-run.js';
import { subscribe } from './notices.js';
import {
  type ChildOptions,
  checkChildOptions,
  checkDefaults,
  checkRunOptions,
  type RunDefaults,
  type RunOptions,
  type RunSpec,
} from './options.js';
import { neverStarted, type WaitOutcome } from './outcome.js';
import { runToOutcome } from './perform.js';
import { Recording } from './recording.js';
import { rejected } from './rejected.js';
import type { BeginResult, RunResult } from './results.js';
import { Retention, type RetentionOptions } from './retention.js';
import type { Run } from './run.js';
import { type RunView, type SessionView, viewOf } from './view.js';
import { type WaitOptions, wait } from './wait.js';

/** How a `RunRegistry` is made. */
export interface RunRegistryOptions {
  /** Where generations, locks, duplicates and notices live; in this process by default. */
  readonly backend?: Backend;
  /** The registry that stops its runs, to be shared with what a host registers by itself. */
  readonly aborts?: AbortRegistry;
  /** Where time comes from; the platform's clocks by default. */
  readonly clock?: Clock;
  /** How long ended runs stay known by id. */
  readonly retention?: RetentionOptions;
  /** What runs get that do not say otherwise, and the bounds of locks, epilogues and the backend. */
  readonly defaults?: Defaults;
  /** Receives errors that have no caller. Not together with `aborts`, which has its own. */
  readonly onError?: OnError;
}

/** What runs get that do not say otherwise, and the bounds of locks, epilogues and the backend. All times in ms. */
export interface Defaults extends Partial<RunDefaults> {
  /** How long an epilogue may take from its grant; 1 000. */
  readonly epilogueMs?: number;
  /** How long a critical section may go on after an abort; 5 000. */
  readonly writeGraceMs?: number;
  /** How long a commit waits for the lock; 30 000. */
  readonly lockTimeoutMs?: number;
  /** How long an answer of the backend may take; 2 000. */
  readonly backendTimeoutMs?: number;
}

/** Who reads. */
export interface ReadOptions {
  /** Who asks, from the host's authentication. Left out: the host itself. What it may not read looks absent. */
  readonly requester?: Requester | undefined;
}

const OPTIONS: ReadonlySet<string> = new Set(['backend', 'aborts', 'clock', 'retention', 'defaults', 'onError']);
const RETENTION: ReadonlySet<string> = new Set(['ttlMs', 'max']);
const READ: ReadonlySet<string> = new Set(['requester']);
const DEFAULTS: ReadonlySet<string> = new Set([
  'kind',
  'whenBusy',
  'startWhen',
  'timeoutMs',
  'queueTimeoutMs',
  'graceMs',
  'epilogueMs',
  'writeGraceMs',
  'lockTimeoutMs',
  'backendTimeoutMs',
]);

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
  /** @internal */
  readonly aborts: AbortRegistry;
  /** @internal */
  readonly locks: SessionLock;
  /** @internal */
  readonly operations: Operations;
  /** @internal */
  isDraining = false;
  readonly #runtime: Runtime;
  readonly #defaults: RunDefaults;
  readonly #retention: Retention;
  readonly #recording: Recording;
  readonly #duplicates: Duplicates;
  readonly #admission: Admission;
  readonly #upstream: SignalLinks<ManagedRun>;
  readonly #abandoned = new Set<ManagedRun>();
  readonly #unsubscribe: () => void;
  #lastId = 0;

  /**
   * @param options - `backend`, `aborts`, `clock`, `retention`, `defaults`, `onError`
   * @throws `INVALID_OPTIONS` for an unknown name, a wrong type, or an `aborts` that has a registry already
   */
  constructor(options: RunRegistryOptions = {}) {
    checkObject('RunRegistry options', options, OPTIONS);
    const { backend = memory(), aborts, clock, retention = {}, defaults = {}, onError } = options;
    checkBackend(backend);
    if (aborts !== undefined && !(aborts instanceof AbortRegistry)) throw invalid('aborts must be an AbortRegistry.');
    checkObject('defaults', defaults, DEFAULTS);
    checkObject('retention', retention, RETENTION);
    checkCount('retention.ttlMs', retention.ttlMs);
    checkCount('retention.max', retention.max);
    checkLimit('defaults.epilogueMs', defaults.epilogueMs);
    checkLimit('defaults.writeGraceMs', defaults.writeGraceMs);
    checkLimit('defaults.lockTimeoutMs', defaults.lockTimeoutMs);
    checkLimit('defaults.backendTimeoutMs', defaults.backendTimeoutMs);
    if (aborts !== undefined && (aborts.recorder !== undefined || onError !== undefined)) {
      throw invalid('aborts belongs to another RunRegistry, or onError was given beside it.');
    }
    if (aborts !== undefined && clock !== undefined && aborts.runtime.clock !== clock) {
      throw invalid('clock must be the clock of aborts: leave it out.');
    }
    this.#defaults = checkDefaults(defaults);
    this.#runtime = aborts?.runtime ?? new Runtime({ clock, onError });
    this.aborts = aborts ?? new AbortRegistry({}, this.#runtime);
    const runtime = this.#runtime;
    this.operations = new Operations(backend, runtime, defaults.backendTimeoutMs ?? 2_000);
    const { operations } = this;
    const { lockTimeoutMs, writeGraceMs } = defaults;
    this.locks = new SessionLock(
      {
        ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }),
        ...(writeGraceMs === undefined ? {} : { writeGraceMs }),
      },
      { runtime, operations },
    );
    this.#retention = new Retention(runtime, retention, (run) => this.#forget(run));
    this.#duplicates = new Duplicates(runtime, this.operations);
    this.#recording = new Recording({
      runtime,
      operations,
      locks: this.locks,
      entries: this.aborts.entries,
      epilogueMs: defaults.epilogueMs ?? 1_000,
    });
    this.aborts.recorder = this.#recording;
    this.#upstream = new SignalLinks((runs, reason) => {
      this.aborts.stop(runs, this.aborts.newStop(saysReason(reason)));
    });
    const duplicates = this.#duplicates;
    const recording = this.#recording;
    this.#admission = new Admission({
      host: this.#host(backend),
      aborts: this.aborts,
      claims: new Claims({ aborts: this.aborts, operations, recording, duplicates }),
      recording,
      duplicates,
      reserved: (run) => {
        const { signal } = run.spec;
        if (signal !== undefined) this.#upstream.link(signal, run);
      },
    });
    this.#unsubscribe = subscribe({
      backend,
      aborts: this.aborts,
      locks: this.locks,
      duplicates,
      queue: this.#admission.queue,
    });
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
   * @throws as `begin`; `INVALID_OPTIONS` if the backend answers with promises
   */
  beginSync(options: RunOptions): BeginResult {
    if (!this.operations.backend.synchronous) {
      throw invalid('beginSync needs a backend that answers synchronously: use begin.');
    }
    const begun = this.#asHandle(this.admit(options));
    if (isThenable(begun)) {
      throw invalid('The backend says that it answers synchronously, and answered with a promise.');
    }
    return begun as BeginResult;
  }

  /**
   * The run of this id on this node, as it is now; also an ended one while it is retained.
   *
   * @returns `undefined` if there is none that the requester may read
   */
  get(runId: string, options: ReadOptions = {}): RunView | undefined {
    const mayRead = this.#reader(options);
    const entry = this.aborts.entries.get(runId);
    return entry instanceof ManagedRun && mayRead(entry) ? viewOf(entry) : undefined;
  }

  /** The runs of this node that are queued, running or stopping. */
  list(options: ReadOptions = {}): RunView[] {
    const mayRead = this.#reader(options);
    const isListed = (run: ManagedRun): boolean => run.isLive || run.status === 'stopping';
    return this.#unquiet().filter(isListed).filter(mayRead).map(viewOf);
  }

  /** Which runs of a session are active, stopping and queued on this node. */
  session(sessionKey: string, options: ReadOptions = {}): SessionView {
    const mayRead = this.#reader(options);
    const runs = this.#inSession(sessionKey).filter(mayRead);
    const ids = (status: string): string[] => runs.filter((run) => run.status === status).map((run) => run.id);
    const activeRunIds = ids('running');
    return {
      sessionKey,
      hasActiveRun: activeRunIds.length > 0,
      activeRunIds,
      stoppingRunIds: ids('stopping'),
      queuedRunIds: ids('queued'),
    };
  }

  /** Whether a run is active in the session, of this kind if one is given. Stopping and queued runs are not. */
  isActive(sessionKey: string, options: ReadOptions & { readonly kind?: string } = {}): boolean {
    checkObject('isActive options', options, IS_ACTIVE);
    const { kind, requester } = options;
    if (kind !== undefined) checkTag(kind);
    const mayRead = this.#reader({ requester });
    return this.#inSession(sessionKey).some(
      (run) => run.status === 'running' && (kind === undefined || run.kind === kind) && mayRead(run),
    );
  }

  /**
   * Waits until a run has its outcome, which for an aborted one is at the cut.
   *
   * @param runId - which run
   * @param options - `kind`: another kind is unknown; `timeoutMs`: how long to wait, for ever by
   *   default, 0, a negative number and NaN not at all; `signal`: stops waiting; `requester`
   * @returns the outcome; `timeout`; or `unknown`, also for what the requester may not read
   * @throws the reason of an aborted `signal`; `INVALID_OPTIONS`; `BACKEND_UNAVAILABLE`
   */
  wait(runId: string, options: WaitOptions = {}): Promise<WaitOutcome> {
    return wait(runId, options, {
      runtime: this.#runtime,
      entries: this.aborts.entries,
      operations: this.operations,
      duplicates: this.#duplicates,
    });
  }

  /** Runs that were aborted by a timeout and were not quiet within their grace. Empty when all is well. */
  abandoned(): RunView[] {
    return [...this.#abandoned].map(viewOf);
  }

  /** Checks and admits, with a plain answer where the backend gives one. @internal */
  admit(options: unknown): Awaitable<BeginResult> {
    return this.#admit(checkRunOptions(options, this.#defaults), undefined, false);
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
      stops: this.#recording.stops.size,
      timers: this.#runtime.timers.size,
    };
  }

  /** Forgets what is retained, and lets go of the backend. @internal */
  close(): void {
    this.#retention.close();
    this.#recording.stops.clear();
    this.#duplicates.close();
    this.locks.close();
    this.#unsubscribe();
  }

  #admit(spec: RunSpec, parent: ManagedRun | undefined, isDetached: boolean): Awaitable<BeginResult> {
    if (this.isDraining && parent === undefined) return rejected('draining');
    return this.#admission.admit(spec, spec.runId ?? this.#newId(), parent, isDetached);
  }

  #asHandle(begun: Awaitable<BeginResult>): Awaitable<BeginResult> {
    return chain(begun, (result) => {
      if (result.status !== 'started' && result.status !== 'queued') return result;
      const run = result.run as ManagedRun;
      run.isHandle = true;
      if (result.status === 'queued' || run.isLive) return result;
      // Cut on the way to the caller, who never gets the handle that would unwind it.
      run.unwound();
      return abortedBeforeStart(run);
    });
  }

  #newId(): string {
    do this.#lastId += 1;
    while (this.aborts.entries.get(this.#idOf(this.#lastId)) !== undefined);
    return this.#idOf(this.#lastId);
  }

  #idOf(count: number): string {
    return `${this.#runtime.nodeId}-${count.toString(36)}`;
  }

  #reader(options: ReadOptions): (run: ManagedRun) => boolean {
    checkObject('read options', options, READ);
    const requester = copyRequester(options.requester);
    return (run) => this.#runtime.authority.may('read', requester, targetOf(run));
  }

  #inSession(sessionKey: string): ManagedRun[] {
    return this.aborts.entries.inSession(sessionKey).filter((entry) => entry instanceof ManagedRun);
  }

  #unquiet(): ManagedRun[] {
    const { entries } = this.aborts;
    return entries.sessionKeys().flatMap((sessionKey) => this.#inSession(sessionKey));
  }

  #host(backend: Backend): RunHost {
    return {
      runtime: this.#runtime,
      backend,
      locks: this.locks,
      marked: (run) => {
        this.#release(run);
        if (run.generation === 0) this.#admission.queue.leave(run);
      },
      ended: (run) => this.#ended(run),
      unwinding: (run) => {
        this.#limitUnwinding(run);
        // A stopping run does not make its session busy.
        this.#admission.queue.pump(run.sessionKey);
      },
      settled: (run) => this.#settled(run),
      cut: (run, reason) => this.#cut(run, reason),
      confirm: (run) => this.#confirm(run),
      queuedRunIds: (sessionKey) => this.#admission.queue.queuedRunIds(sessionKey),
      child: (parent, options, work) => this.#child(parent, options, work),
    };
  }

  #cut(run: ManagedRun, reason: AbortReason): void {
    if (run.isLive) this.aborts.stop([run], this.aborts.newStop(reason));
  }

  #release(run: ManagedRun): void {
    this.#runtime.timers.cancel(run.deadline);
    run.deadline = undefined;
    const { signal } = run.spec;
    if (signal !== undefined) this.#upstream.unlink(signal, run);
  }

  #ended(run: ManagedRun): void {
    this.#release(run);
    if (run.generation === 0) this.#admission.queue.leave(run);
    // Before anybody's code runs: a run that begins in a listener finds the session free.
    else this.#sendEnd(run, run.status as 'completed' | 'failed');
    const children = run.dependants();
    if (children.length > 0) this.aborts.stop(children, this.aborts.newStop('parent'));
    run.closeWatchers();
    run.announceEnd();
    run.tellEnded();
    run.revokeGrants(true);
    run.unwind();
    this.#admission.queue.pump(run.sessionKey);
  }

  #settled(run: ManagedRun): void {
    const { events } = this.#runtime;
    const wasAborted = run.stop !== undefined;
    this.#abandoned.delete(run);
    this.aborts.entries.leaveSession(run);
    run.parent?.resources?.children.delete(run);
    if (wasAborted && run.generation > 0) this.#sendEnd(run, 'aborted');
    if (wasAborted && run.isAnnounced) {
      if (events.has('run:quiet')) {
        const { elapsedMs, fencedEffects } = run.report();
        events.emit('run:quiet', { run: viewOf(run), elapsedMs, fencedEffects });
      }
      if (run.generation > 0 && events.has('session:changed')) {
        events.emit('session:changed', { sessionKey: run.sessionKey });
      }
    }
    run.forget();
    if (this.#retention.keeps && !run.isRefused) this.#retention.add(run);
    else this.aborts.entries.remove(run);
    this.#admission.queue.pump(run.sessionKey);
  }

  #forget(run: ManagedRun): void {
    this.aborts.entries.remove(run);
    // The backend never had it: under this id it may know a run of another node.
    if (run.generation === 0) return;
    const { backend } = this.operations;
    const { sessionKey, id: runId } = run;
    settle(
      () => backend.forget({ sessionKey, runId }),
      () => {},
      this.#runtime.onError,
    );
  }

  #sendEnd(run: ManagedRun, status: 'completed' | 'failed' | 'aborted'): void {
    const { sessionKey, id: runId, generation } = run;
    const { nodeId, onError } = this.#runtime;
    const { backend } = this.operations;
    const retain = this.#retention.keeps;
    settle(
      () =>
        this.operations.send(sessionKey, () => backend.end({ sessionKey, runId, generation, nodeId, status, retain })),
      () => {},
      onError,
    );
  }

  /** Only what a timeout left behind is abandoned; leftovers of a normal end have no receipt to be named in. */
  #limitUnwinding(run: ManagedRun): void {
    if (run.stop !== undefined && run.stop.reason !== 'timeout') return;
    const { aftermath } = run;
    aftermath.overdue ??= this.#runtime.timers.after(run.graceMs, () => {
      if (run.stop !== undefined) {
        this.#abandoned.add(run);
        return;
      }
      const names = run.leftovers().join(', ');
      this.#runtime.onError(new RunfenceError('NOT_STOPPED', `Run "${run.id}" has ended, and is not quiet: ${names}.`));
    });
  }

  /** The backend's word on whether the run is current. One that was stopped elsewhere is cut here. */
  #confirm(run: ManagedRun): Awaitable<boolean> {
    const { backend } = this.operations;
    const { sessionKey, id: runId, generation } = run;
    const checked = this.operations.ask(() => backend.check({ sessionKey, runId, generation }));
    return chain(checked, (isCurrent) => {
      if (isCurrent || !run.isCurrent()) return isCurrent;
      const cut = (stored: readonly StoredRun[]): boolean => {
        this.#cut(run, stored[0]?.reason ?? 'heartbeat-lost');
        return false;
      };
      // The backend has said that it is stopped; only the reason may stay unknown.
      return settle(
        () => this.operations.ask(() => backend.read({ runId })),
        cut,
        () => cut([]),
      );
    });
  }

  async #child<T>(parent: ManagedRun, options: ChildOptions, work: (run: Run) => Awaitable<T>): Promise<RunResult<T>> {
    checkFunction('work', work);
    const { spec, isDetached } = checkChildOptions(options, parent.spec, this.#defaults);
    if (!parent.isLive) return neverStarted(this.#runtime, 'parent') as RunResult<T>;
    return runToOutcome(this.#runtime, this.#admit(spec, parent, isDetached), work);
  }
}

const IS_ACTIVE: ReadonlySet<string> = new Set(['kind', 'requester']);
