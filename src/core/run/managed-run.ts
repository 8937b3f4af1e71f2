import type { Stop } from '../abort/entry.js';
import { type AbortReason, abortError, type RunAbortedError, saysAborted } from '../abort/reason.js';
import type { EpilogueState, LockState, RunReport } from '../abort/receipt.js';
import type { Backend } from '../backend/port.js';
import { commit } from '../fence/commit.js';
import { type FenceOptions, fence } from '../fence/fence.js';
import type { FencedRun } from '../fence/fenced-run.js';
import { gate } from '../fence/gate.js';
import { type Awaitable, isThenable, settle } from '../internal/awaitable.js';
import { invalid, RunfenceError, runEnded, runQueued } from '../internal/errors.js';
import type { OnError } from '../internal/runtime.js';
import type { Timer } from '../internal/timers.js';
import { checkFunction, checkKey, checkObject, waitMs } from '../internal/validate.js';
import type { Epilogue, EpilogueContext } from '../lock/epilogue.js';
import type { CommitContext, HeldGrant } from '../lock/grant.js';
import type { Leftover } from '../lock/locking-run.js';
import { Aftermath } from './aftermath.js';
import type { RunHost } from './host.js';
import type { ChildOptions, RunSpec } from './options.js';
import { type Outcome, outcomeOf } from './outcome.js';
import { leftoversOf, reportOf } from './report.js';
import { Resources } from './resources.js';
import type { RunResult } from './results.js';
import type { Attached, Attachment, Run } from './run.js';
import { viewOf } from './view.js';
import { WatchedEntry } from './watched-entry.js';

const GATE_OPTIONS: ReadonlySet<string> = new Set(['name']);
const COMMIT_OPTIONS: ReadonlySet<string> = new Set(['timeoutMs']);

/**
 * A run and all that belongs to it. `current` is the one field that every hot path reads; what few
 * runs have lives in side objects that are made on first use.
 */
export class ManagedRun extends WatchedEntry implements Run, FencedRun {
  declare readonly sessionKey: string;
  current = false;
  isQuiet = false;
  startedAt = 0;
  /** By the monotonic clock. */
  settledAt = 0;
  /** The work has not unwound, or the holder of the handle has not finished. */
  isWorking = false;
  /** The caller owns the control flow: finishing the handle is what unwinds it. */
  isHandle = false;
  /** A caller knows of it: its end is told. */
  isAnnounced = false;
  /** It was not let in: nothing of it is kept. */
  isRefused = false;
  stop: Stop | undefined = undefined;
  result: unknown = undefined;
  deadline: Timer | undefined = undefined;
  resources: Resources | undefined = undefined;
  readonly host: RunHost;
  readonly spec: RunSpec;
  readonly parentId: string | undefined;
  /** The nearest ancestor that was not quiet when it was last looked for. */
  parent: ManagedRun | undefined;
  /** Another node stopped this generation before this node was told of it. */
  stoppedEarly: { readonly generation: number; readonly stop: Stop } | undefined = undefined;
  #aftermath: Aftermath | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  #error: RunAbortedError | undefined = undefined;
  #endListeners: ((outcome: Outcome) => void)[] | undefined = undefined;

  constructor(host: RunHost, id: string, spec: RunSpec, parent: ManagedRun | undefined) {
    super(id, spec.sessionKey, spec.kind, spec.owner, spec.tags);
    this.host = host;
    this.spec = spec;
    this.parent = parent;
    this.parentId = parent?.id;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    const { signal } = this.#controller;
    if (this.stop !== undefined && !signal.aborted) this.#controller.abort(this.closedError());
    return signal;
  }

  get reason(): AbortReason | undefined {
    return this.stop?.reason;
  }

  override get graceMs(): number {
    return this.spec.graceMs;
  }

  get backend(): Backend {
    return this.host.backend;
  }

  get onError(): OnError {
    return this.host.runtime.onError;
  }

  get grants(): Set<HeldGrant> {
    return this.use().grants;
  }

  isCurrent(): boolean {
    return this.current;
  }

  throwIfStale(): void {
    if (!this.current) throw this.closedError();
  }

  fence<A extends readonly unknown[], R>(sink: (...args: A) => R): (...args: A) => R | undefined;
  fence<T>(source: ReadableStream<T>, options?: FenceOptions): ReadableStream<T>;
  fence<T>(source: AsyncIterable<T>, options?: FenceOptions): AsyncIterableIterator<T>;
  fence(source: unknown, options?: FenceOptions): never {
    return fence(this, source, options) as never;
  }

  gate<A extends readonly unknown[], R>(
    tool: (...args: A) => Awaitable<R>,
    options: { readonly name?: string } = {},
  ): (...args: A) => Promise<R> {
    checkFunction('tool', tool);
    checkObject('gate options', options, GATE_OPTIONS);
    if (options.name !== undefined) checkKey('name', options.name);
    return gate(this, tool, options.name ?? (tool.name || 'tool'));
  }

  commit<T>(
    section: (context: CommitContext) => Awaitable<T>,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<T> {
    checkFunction('section', section);
    checkObject('commit options', options, COMMIT_OPTIONS);
    const { timeoutMs } = options;
    const bound = timeoutMs === undefined ? undefined : waitMs('timeoutMs', timeoutMs, 0);
    return commit(this, this.host.locks, section, bound);
  }

  epilogue(save: (context: EpilogueContext) => unknown, options: { readonly name?: string } = {}): void {
    checkFunction('save', save);
    checkObject('epilogue options', options, GATE_OPTIONS);
    if (options.name !== undefined) checkKey('name', options.name);
    if (!this.isLive) throw this.closedError();
    this.use().epilogue.push({ name: options.name ?? (save.name || 'epilogue'), save });
  }

  child<T>(options: ChildOptions, work: (run: Run) => Awaitable<T>): Promise<RunResult<T>> {
    return this.host.child(this, options, work);
  }

  attach(resource: Attachment): Attached {
    checkKey('name', resource?.name);
    checkFunction('stop', resource.stop);
    if (resource.gone !== undefined && !isThenable(resource.gone)) throw invalid('gone must be a promise.');
    const attached = this.use().attach(resource);
    if (!this.isLive) attached.stop(this.reason);
    return { release: () => attached.release() };
  }

  defer(callback: () => unknown): void {
    checkFunction('callback', callback);
    if (this.isQuiet) {
      settle(callback, () => {}, this.onError);
      return;
    }
    this.use().defer(callback);
    this.trySettle();
  }

  complete(value?: unknown): boolean {
    const wins = this.status === 'running';
    if (wins) this.#end('completed', value);
    else if (this.isHandle) this.unwound();
    return wins;
  }

  fail(error: unknown): boolean {
    const wins = this.isLive;
    if (wins) this.#end('failed', error);
    else if (this.isHandle) this.unwound();
    return wins;
  }

  #end(status: 'completed' | 'failed', result: unknown): void {
    this.current = false;
    this.status = status;
    this.result = result;
    if (this.isHandle) this.isWorking = false;
    this.host.ended(this);
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

  /** What the work throws after the run is over has no other way to be heard, unless it is only the abort. */
  failedLate(error: unknown): void {
    if (saysAborted(error)) return;
    this.aftermath.error = error;
    this.onError(error);
  }

  /** The work has returned or thrown. */
  unwound(): void {
    if (!this.isWorking) return;
    this.isWorking = false;
    this.trySettle();
  }

  get hasOutcome(): boolean {
    return !this.isLive;
  }

  /** How it ended; asked only once it has. */
  get outcome(): Outcome {
    return outcomeOf(this);
  }

  onEnded(listener: (outcome: Outcome) => void): void {
    this.#endListeners ??= [];
    this.#endListeners.push(listener);
  }

  offEnded(listener: (outcome: Outcome) => void): void {
    const at = this.#endListeners?.indexOf(listener) ?? -1;
    if (at >= 0) this.#endListeners?.splice(at, 1);
  }

  tellEnded(): void {
    const listeners = this.#endListeners;
    if (listeners === undefined) return;
    this.#endListeners = undefined;
    const { outcome } = this;
    for (const listener of listeners) listener(outcome);
  }

  override dependants(): readonly ManagedRun[] {
    const children = this.resources?.children;
    return children === undefined || children.size === 0 ? NO_RUNS : [...children];
  }

  override mark(stop: Stop): void {
    this.current = false;
    this.stop = stop;
    // A queued run that nothing hangs on is quiet at the cut, and is never seen as stopping.
    this.status = this.generation === 0 && this.resources === undefined ? 'aborted' : 'stopping';
    this.host.marked(this);
  }

  override fire(): void {
    this.closeWatchers();
    if (this.#controller !== undefined && !this.#controller.signal.aborted) {
      this.#controller.abort(this.closedError());
    }
  }

  /** Has its generation: from here on it is current. */
  start(generation: number): void {
    const { clock, timers } = this.host.runtime;
    this.generation = generation;
    this.status = 'running';
    this.current = true;
    this.isWorking = true;
    this.startedAt = clock.now();
    const { timeoutMs } = this.spec;
    if (timeoutMs !== Number.POSITIVE_INFINITY) {
      this.deadline = timers.after(timeoutMs, () => this.host.cut(this, 'timeout'));
    }
  }

  override announce(): void {
    const { events } = this.host.runtime;
    const stop = this.stop as Stop;
    if (this.isAnnounced && events.has('run:aborted')) {
      const { reason, requester, supersededBy } = stop;
      events.emit('run:aborted', { run: viewOf(this), reason, requester, supersededBy });
    }
    this.announceEnd();
    this.tellEnded();
  }

  announceEnd(): void {
    const { events } = this.host.runtime;
    if (!this.isAnnounced) return;
    if (events.has('run:ended')) {
      const run = viewOf(this);
      events.emit('run:ended', this.status === 'failed' ? { run, error: this.result } : { run });
    }
    const { sessionKey } = this;
    if (this.generation === 0) {
      if (!events.has('queue:changed')) return;
      const queuedRunIds = this.host.queuedRunIds(sessionKey);
      events.emit('queue:changed', { sessionKey, queuedRunIds });
    } else if (events.has('session:changed')) {
      events.emit('session:changed', { sessionKey });
    }
  }

  override handOver(): void {
    this.revokeGrants(false);
    const epilogue = this.#aftermath?.due;
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

  override unwind(): void {
    this.resources?.stopAttached(this.reason);
    this.trySettle();
    if (!this.isQuiet) this.host.unwinding(this);
  }

  /** Becomes quiet once the work has unwound, what was deferred has run, and nothing is left. */
  trySettle(): void {
    if (this.isLive || this.isQuiet || this.isUnwinding()) return;
    this.isQuiet = true;
    this.settledAt = this.host.runtime.clock.monotonic();
    if (this.status === 'stopping') this.status = 'aborted';
    this.host.runtime.timers.cancel(this.#aftermath?.overdue);
    this.host.settled(this);
    this.#aftermath?.tellQuiet();
  }

  private isUnwinding(): boolean {
    if (this.isWorking) return true;
    const { resources } = this;
    if (resources === undefined) return this.#aftermath?.isPending === true;
    if (resources.work.size > 0 || !resources.runDeferred() || resources.hasAttached) return true;
    // What was deferred may have run to its end just now, and settled the run.
    return this.isQuiet || this.#aftermath?.isPending === true;
  }

  /** What a retained run needs no more: 10 000 controllers and values are not kept. */
  forget(): void {
    this.#controller = undefined;
    this.spec.signal = undefined;
    this.resources = undefined;
    if (this.status === 'completed') this.result = undefined;
  }

  override onQuiet(listener: () => void): void {
    this.aftermath.quietListeners.add(listener);
  }

  override offQuiet(listener: () => void): void {
    this.#aftermath?.quietListeners.delete(listener);
  }

  override report(): RunReport {
    return reportOf(this, this.#aftermath);
  }

  leftovers(): string[] {
    return leftoversOf(this, this.#aftermath);
  }

  closedError(): RunfenceError {
    if (this.stop === undefined) return this.status === 'queued' ? runQueued() : runEnded();
    this.#error ??= abortError(this.stop.reason);
    return this.#error;
  }

  beginWork(name: string): Leftover {
    const leftover = { name };
    this.use().work.add(leftover);
    return leftover;
  }

  endWork(leftover: Leftover): void {
    this.resources?.work.delete(leftover);
    this.trySettle();
  }

  refused(): void {
    this.aftermath.fencedEffects += 1;
    const { events } = this.host.runtime;
    if (this.aftermath.fencedEffects === 1 && events.has('effect:fenced')) {
      events.emit('effect:fenced', { run: viewOf(this) });
    }
  }

  confirm(): Awaitable<boolean> {
    return this.host.confirm(this);
  }

  lockEnded(state: LockState): void {
    if (this.stop === undefined) return;
    this.aftermath.lock = state;
    this.trySettle();
  }

  epilogueEnded(_epilogue: Epilogue, state: EpilogueState, error?: unknown): void {
    this.aftermath.epilogue = state;
    if (error !== undefined) this.aftermath.error ??= error;
    this.trySettle();
  }

  loseLock(): void {
    this.host.cut(this, 'lock-lost');
  }

  get aftermathIfAny(): Aftermath | undefined {
    return this.#aftermath;
  }

  get aftermath(): Aftermath {
    this.#aftermath ??= new Aftermath();
    return this.#aftermath;
  }

  use(): Resources {
    this.resources ??= new Resources(this.onError, () => this.trySettle());
    return this.resources;
  }
}

const NO_RUNS: readonly ManagedRun[] = Object.freeze([]);
