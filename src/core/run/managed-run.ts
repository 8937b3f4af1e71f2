import type { Stop } from '../abort/stop.js';
import type { StoredReport, StoredRun } from '../backend/records.js';
import { commit } from '../fence/commit.js';
import { type FenceOptions, fence, type GateStreamOptions } from '../fence/fence.js';
import type { FencedRun } from '../fence/fenced-run.js';
import { gate } from '../fence/gate.js';
import { gateStream } from '../fence/gate-stream.js';
import { read } from '../fence/read.js';
import type { IterableStream } from '../fence/sources.js';
import { type Awaitable, Deferred, settle } from '../internal/awaitable.js';
import type { Clock } from '../internal/clock.js';
import { invalid, RunfenceError, runEnded, runQueued, unavailable } from '../internal/errors.js';
import { isAborted } from '../internal/signals.js';
import type { Timer } from '../internal/timers.js';
import { checkFunction, checkKey, checkObject } from '../internal/validate.js';
import type { EndStatus, Ledger, Stage } from '../ledger/ledger.js';
import type { EpilogueContext } from '../lock/epilogue.js';
import type { CommitContext, HeldGrant } from '../lock/grant.js';
import type { AbortReason, RunAbortedError } from '../stop/reason.js';
import { announceAborted } from './announce.js';
import { checkAttachment } from './attached-thing.js';
import type { Candidate } from './candidate.js';
import { fire, stopping } from './controller.js';
import { Decision } from './decision.js';
import { type Draft, RunDraft, type Save } from './draft.js';
import type { RunHost } from './host.js';
import type { ChildOptions, RunSpec } from './options.js';
import { type Outcome, outcomeOf } from './outcome.js';
import type { RunResult } from './results.js';
import type { Attached, Attachment, Run } from './run.js';
import { UnwindingRun } from './unwinding-run.js';

const EPILOGUE_OPTIONS: ReadonlySet<string> = new Set(['name']);

/**
 * A run and all that belongs to it. `current` is the one field that every hot path reads; what few
 * runs have lives in side objects that are made on first use.
 */
export class ManagedRun extends UnwindingRun implements Run, FencedRun {
  declare readonly spec: RunSpec;
  current = false;
  startedAt = 0;
  /** The caller owns the control flow: finishing the handle is what unwinds it. */
  isHandle = false;
  /** A caller knows of it: its end is told. */
  isAnnounced = false;
  /** It was not let in: nothing of it is kept. */
  isRefused = false;
  result: unknown = undefined;
  deadline: Timer | undefined = undefined;
  readonly parentId: string | undefined;
  /** The nearest ancestor that was not quiet when it was last looked for. */
  parent: ManagedRun | undefined;
  /** The run that it was asked for in, without being its child. */
  caller: ManagedRun | undefined = undefined;
  /** A claim of it is on its way: the record may have it. */
  isAsked = false;
  /** While it is asked for, or waits. */
  candidate: Candidate | undefined = undefined;
  listSince = 0;
  /** It was cut because the record does not know it, which is still to say how it ended. */
  awaitsRecord = false;
  /** Its work was, or is about to be, called. */
  hasStarted = false;
  /** Its work was called. Of a handle, nobody knows what goes on. */
  isCalled = false;
  /** The runs that it took over from. */
  supersedes: readonly string[] = NO_IDS;
  readonly #decision = new Decision();
  #suspension: { readonly resumed: Deferred<void>; readonly fencedEffects: number } | undefined = undefined;
  #ownDraft: RunDraft | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  #error: RunAbortedError | undefined = undefined;

  constructor(host: RunHost, id: string, spec: RunSpec, parent: ManagedRun | undefined) {
    super(host, id, spec);
    this.parent = parent;
    this.parentId = parent?.id;
  }

  protected override get self(): this {
    return this;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = this.host.runtime.controllers.make();
      this.host.nesting.made(this.#controller.signal, this);
    }
    const { signal } = this.#controller;
    if (this.stop !== undefined && !signal.aborted) fire(this.#controller, this.closedError());
    return signal;
  }

  within<T>(call: () => T): T {
    return this.host.nesting.within(this, call);
  }

  get controller(): AbortController {
    void this.signal;
    return stopping(this.#controller as AbortController, (reason) => this.host.cut(this, reason));
  }

  override get sessionKey(): string {
    return this.spec.sessionKey;
  }

  get reason(): AbortReason | undefined {
    return this.#decision.recorded?.reason ?? this.stop?.reason;
  }

  get detail(): string | undefined {
    const { recorded } = this.#decision;
    return (recorded?.reason === undefined ? this.stop : recorded)?.detail;
  }

  get data(): unknown {
    return this.spec.data;
  }

  get fingerprint(): string | undefined {
    return this.spec.fingerprint;
  }

  get stage(): Stage {
    if (this.#decision.ending !== undefined) return 'ending';
    const { status } = this;
    return status === 'queued' || status === 'running' || status === 'stopping' ? status : 'settled';
  }

  get endStatus(): EndStatus {
    const { status } = this;
    return this.#decision.ending ?? (status === 'completed' || status === 'failed' ? status : 'aborted');
  }

  /** What the options save is known before there is anything to save. */
  get hasEpilogue(): boolean {
    return this.hasAnnounced || (!this.hasStarted && this.spec.save !== undefined);
  }

  get hasAnnounced(): boolean {
    return this.resources !== undefined && this.resources.epilogue.length > 0;
  }

  override get isDecided(): boolean {
    return this.#decision.isDecided;
  }

  get isConfirmed(): boolean {
    return this.#decision.isConfirmed;
  }

  /** The record has taken its stop. */
  confirmed(): void {
    this.#decision.confirm();
  }

  /** Another node may have been told that it ended otherwise. */
  get isUncertain(): boolean {
    return this.#decision.isUncertain;
  }

  /** One that nobody was told of is a duplicate of nothing. */
  get isKept(): boolean {
    return this.hasStarted && this.host.keeps(this);
  }

  protected override get isTold(): boolean {
    return this.#decision.isTold;
  }

  override get graceMs(): number {
    return this.spec.graceMs;
  }

  get nodeId(): string {
    return this.host.runtime.nodeId;
  }

  get clock(): Clock {
    return this.host.runtime.clock;
  }

  get ledger(): Ledger {
    return this.host.ledger;
  }

  get grants(): Set<HeldGrant> {
    return this.use().grants;
  }

  isCurrent(): boolean {
    return this.current || this.#isKnownStale();
  }

  throwIfStale(): void {
    if (this.current) return;
    this.#isKnownStale();
    throw this.closedError();
  }

  /** Work that looks is told by that. */
  #isKnownStale(): false {
    if (this.interrupted === false) this.interrupted = true;
    return false;
  }

  fence<A extends readonly unknown[], R, This = unknown>(
    sink: (this: This, ...args: A) => R,
  ): (this: This, ...args: A) => R | undefined;
  fence<T, const L = T>(
    source: IterableStream<T>,
    options?: FenceOptions<L>,
  ): ReadableStream<T | L> & AsyncIterable<T | L>;
  fence<T, const L = T>(source: ReadableStream<T>, options?: FenceOptions<L>): ReadableStream<T | L>;
  fence<T, const L = T>(source: AsyncIterable<T>, options?: FenceOptions<L>): AsyncIterableIterator<T | L>;
  fence(source: unknown, options?: FenceOptions): never {
    return fence(this, source, options) as never;
  }

  gate<A extends readonly unknown[], R, This = unknown>(
    tool: (this: This, ...args: A) => Awaitable<R>,
    options: { readonly name?: string } = {},
  ): (this: This, ...args: A) => Promise<R> {
    return gate(this, tool as (...args: A) => Awaitable<R>, options);
  }

  gateStream<A extends readonly unknown[], T, const L = T, This = unknown>(
    tool: (this: This, ...args: A) => Awaitable<AsyncIterable<T> | ReadableStream<T>>,
    options: GateStreamOptions<L> = {},
  ): (this: This, ...args: A) => AsyncIterableIterator<T | L> {
    return gateStream(this, tool as (...args: readonly unknown[]) => unknown, options);
  }

  commit<T>(
    section: (context: CommitContext) => Awaitable<T>,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<T> {
    return commit(this, this.host.locks, section, options);
  }

  read<T>(reader: (context: CommitContext) => Awaitable<T>, options: { readonly timeoutMs?: number } = {}): Promise<T> {
    return read(this, this.host.locks, reader, options);
  }

  epilogue(save: (context: EpilogueContext) => unknown, options: { readonly name?: string } = {}): Attached {
    checkFunction('save', save);
    checkObject('epilogue options', options, EPILOGUE_OPTIONS);
    if (options.name !== undefined) checkKey('name', options.name);
    if (!this.isLive) throw this.closedError();
    const isFirst = !this.hasEpilogue;
    const announced = this.use().announceEpilogue(options.name ?? 'epilogue', save);
    if (isFirst) this.ledger.announce(this);
    return announced;
  }

  draft(save: Save | undefined = this.spec.save): Draft {
    if (save === undefined) throw invalid('There is nothing to save with: give draft a function, or the run a `save`.');
    checkFunction('save', save);
    if (save === this.spec.save && this.#ownDraft !== undefined) return this.#ownDraft;
    const draft = new RunDraft(this, save, (cut) => this.epilogue(cut, { name: 'draft' }));
    this.use().drafts.add(draft);
    return draft;
  }

  /** The record has known of it since the claim: it is not announced. */
  #draftOf(save: Save): RunDraft {
    const draft = new RunDraft(this, save, (cut) => this.use().announceEpilogue('save', cut));
    this.use().drafts.add(draft);
    return draft;
  }

  get supersededBy(): string | undefined {
    return this.stop?.supersededBy;
  }

  child<T>(options: ChildOptions, work: (run: Run) => Awaitable<T>): Promise<RunResult<T>> {
    return this.host.child(this, options, work);
  }

  attach(resource: Attachment): Attached {
    checkAttachment(resource);
    const attached = this.use().attach(resource);
    if (!this.isLive) attached.stop(this.reason);
    return { release: () => attached.release() };
  }

  defer(callback: () => unknown): void {
    checkFunction('callback', callback);
    if (this.isQuiet) {
      settle(
        callback,
        () => {},
        (error) => this.onError(error),
      );
      return;
    }
    this.use().defer(callback);
    this.trySettle();
  }

  complete(value?: unknown): boolean {
    if (this.#hasHole) this.host.cut(this, 'heartbeat-lost');
    const wins = this.status === 'running';
    if (wins) this.#end('completed', value);
    else if (this.isHandle) this.unwound();
    // A record that answers at once may have had a stop of it first.
    return wins && this.stop === undefined;
  }

  fail(error: unknown): boolean {
    const wins = this.isLive;
    if (wins) this.#end('failed', error);
    else if (this.isHandle) this.unwound();
    return wins && this.stop === undefined;
  }

  /** The work has returned. */
  returned(value: unknown): void {
    this.isWorking = false;
    if (!this.complete(value)) this.trySettle();
  }

  /** The work has thrown. What there is of its drafts is saved first, while the run still has the right to. */
  threw(error: unknown): void {
    const saved = this.current ? this.resources?.saveFailed(error, (cause) => this.lost(cause)) : undefined;
    if (saved === undefined) this.#threw(error);
    // A save that hangs has the run's grace, as all unwinding: the caller waits for the error.
    else void this.host.runtime.timers.within(saved, this.graceMs, undefined).then(() => this.#threw(error));
  }

  #threw(error: unknown): void {
    this.isWorking = false;
    if (this.fail(error)) return;
    this.failedLate(error);
    this.trySettle();
  }

  #end(status: 'completed' | 'failed', result: unknown): void {
    this.current = false;
    this.#endSuspension();
    this.#decision.ending = status;
    // Nothing of it goes on, and how it ended is not said before the record has.
    this.status = 'stopping';
    this.result = result;
    if (this.isHandle) this.isWorking = false;
    this.host.ending(this);
    this.#decision.prepared(this);
  }

  stands(): void {
    this.#decision.stands(this);
  }

  decided(run: StoredRun | undefined): void {
    this.#decision.answered(this, run);
  }

  undecidable(): void {
    this.#decision.presume(this);
  }

  /** Its outcome was told. */
  told(): void {
    this.tellSaved();
    if (this.stop === undefined) this.host.ended(this);
    else this.trySettle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isLive) {
      this.fail(
        new RunfenceError(
          'RUN_DISPOSED',
          'The run was disposed unfinished: call complete() or fail() before its scope ends.',
        ),
      );
    } else if (this.isHandle) {
      this.unwound();
    }
  }

  get hasOutcome(): boolean {
    return this.#decision.isTold;
  }

  /** How it ended; asked only once it has. */
  get outcome(): Outcome {
    return outcomeOf(this);
  }

  onEnded(listener: (outcome: Outcome) => void): void {
    this.#decision.onTold(listener);
  }

  offEnded(listener: (outcome: Outcome) => void): void {
    this.#decision.offTold(listener);
  }

  override dependants(): readonly ManagedRun[] {
    const children = this.resources?.children;
    return children === undefined || children.size === 0 ? NO_RUNS : [...children];
  }

  override mark(stop: Stop): void {
    this.current = false;
    this.#endSuspension();
    this.stop = stop;
    this.interrupted = this.#isTold();
    // A queued run that nothing hangs on is quiet at the cut, and is never seen as stopping.
    const isAtOnce = this.generation === 0 && !this.isAsked;
    this.status = isAtOnce && this.resources === undefined ? 'aborted' : 'stopping';
    // No record can say otherwise of one that was never asked for.
    if (isAtOnce) this.#decision.cutUnasked();
    this.host.marked(this);
  }

  /**
   * Whether what the work awaits hears of the cut. False only where nobody has read the signal while something of the
   * host's went on: a false alarm is worse than none.
   */
  #isTold(): boolean | undefined {
    const { resources } = this;
    const isAwaiting = this.isWorking && this.generation > 0 && this.#controller === undefined;
    if (!isAwaiting || this.stop?.comesFromSignal === true || resources?.tellsWork === true) return true;
    if (this.host.nesting.isInside(this)) return true;
    if (this.isHandle) return undefined;
    return !this.isCalled || this.hasLoneWatcher;
  }

  override fire(): void {
    this.closeWatchers();
    if (this.#controller !== undefined) fire(this.#controller, this.closedError());
    // Noted now: the parent may be over and forgotten when the error comes.
    if (this.parent?.wasTold === true) this.use().wasTold = true;
    this.host.fired(this);
  }

  /** Its node's lease may have ended. Nothing is stopped for that: it takes somebody who wants it to take it away. */
  suspend(): void {
    if (!this.current) return;
    this.current = false;
    this.#suspension = { resumed: new Deferred(), fencedEffects: this.aftermathIfAny?.fencedEffects ?? 0 };
  }

  /** An answer with a hole is worse than a stop: a run whose effects were refused in the meantime is cut. */
  resume(): void {
    const suspension = this.#suspension;
    if (suspension === undefined) return;
    if (this.#hasHole) this.host.cut(this, 'heartbeat-lost');
    this.#suspension = undefined;
    if (this.isLive) this.current = true;
    suspension.resumed.resolve(undefined);
  }

  /** Effects were refused since it was suspended. */
  get #hasHole(): boolean {
    if (this.#suspension === undefined) return false;
    return (this.aftermathIfAny?.fencedEffects ?? 0) > this.#suspension.fencedEffects;
  }

  #endSuspension(): void {
    this.#suspension?.resumed.resolve(undefined);
    this.#suspension = undefined;
  }

  override get wasTold(): boolean {
    if (this.stop === undefined) return false;
    return this.#controller !== undefined || this.resources?.wasTold === true || isAborted(this.spec.signal);
  }

  get isSuspended(): boolean {
    return this.#suspension !== undefined;
  }

  whenResumed(): Promise<void> {
    return this.#suspension?.resumed.promise ?? Promise.resolve();
  }

  /** Has its generation: from here on it is current. */
  start(generation: number): void {
    const { clock, timers } = this.host.runtime;
    this.generation = generation;
    this.hasStarted = true;
    this.candidate = undefined;
    this.status = 'running';
    this.current = true;
    this.isWorking = true;
    const { save } = this.spec;
    if (save !== undefined) this.#ownDraft = this.#draftOf(save);
    this.startedAt = clock.now();
    const { timeoutMs } = this.spec;
    if (timeoutMs !== undefined) {
      this.deadline = timers.after(timeoutMs, () => this.host.cut(this, 'timeout'));
    }
  }

  override announce(): void {
    announceAborted(this);
    this.#decision.prepared(this);
  }

  override handOver(): void {
    this.revokeGrants(false);
    const epilogue = this.aftermathIfAny?.due;
    if (epilogue === undefined) return;
    epilogue.isDue = true;
    this.host.locks.queue(this.sessionKey).pump();
  }

  revokeGrants(isEnding: boolean): void {
    const grants = this.resources?.grants;
    if (grants === undefined || grants.size === 0) return;
    for (const grant of [...grants]) {
      if (!grant.isIdle && !isEnding && grant.sessionKey === this.sessionKey) {
        this.aftermath.lock = 'pending';
      }
      grant.revoke(this.reason ?? 'lock-lost', isEnding);
    }
  }

  /** What a retained run needs no more: 10 000 controllers, values and data are not kept. */
  forget(): void {
    this.#controller = undefined;
    this.caller = undefined;
    this.spec.signal = undefined;
    this.spec.data = undefined;
    this.resources = undefined;
    if (this.status === 'completed') this.result = undefined;
  }

  closedError(): RunfenceError {
    if (this.isSuspended) return unavailable(new Error('the lease of this node may have ended'));
    if (this.stop === undefined) return this.status === 'queued' ? runQueued() : runEnded();
    this.#error ??= this.stop.errorFor(this.sessionKey);
    return this.#error;
  }

  confirm(): Awaitable<boolean> {
    return this.host.confirm(this);
  }

  storedReport(): StoredReport {
    const { runId: _runId, nodeId: _nodeId, state: _state, error: _error, ...stored } = this.report();
    return stored;
  }

  loseLock(): void {
    this.host.cut(this, 'lock-lost');
  }
}

const NO_RUNS: readonly ManagedRun[] = Object.freeze([]);
const NO_IDS: readonly string[] = Object.freeze([]);
