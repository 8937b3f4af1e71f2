import type { AbortReason, RunAbortedError } from '../abort/reason.js';
import type { Stop } from '../abort/stop.js';
import type { Backend } from '../backend/port.js';
import { commit } from '../fence/commit.js';
import { type FenceOptions, fence } from '../fence/fence.js';
import type { FencedRun } from '../fence/fenced-run.js';
import { gate } from '../fence/gate.js';
import { type Awaitable, isThenable, settle } from '../internal/awaitable.js';
import type { Clock } from '../internal/clock.js';
import { invalid, RunfenceError, runEnded, runQueued } from '../internal/errors.js';
import { tellAll } from '../internal/events.js';
import type { Timer } from '../internal/timers.js';
import { checkFunction, checkKey, checkObject, waitMs } from '../internal/validate.js';
import type { EpilogueContext } from '../lock/epilogue.js';
import type { CommitContext, HeldGrant } from '../lock/grant.js';
import type { RunHost } from './host.js';
import type { ChildOptions, RunSpec } from './options.js';
import { type Outcome, outcomeOf } from './outcome.js';
import type { RunResult } from './results.js';
import type { Attached, Attachment, Run } from './run.js';
import { UnwindingRun } from './unwinding-run.js';
import { viewOf } from './view.js';

const GATE_OPTIONS: ReadonlySet<string> = new Set(['name']);
const COMMIT_OPTIONS: ReadonlySet<string> = new Set(['timeoutMs']);

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
  /** Another node stopped this generation before this node was told of it. */
  stoppedEarly: { readonly generation: number; readonly stop: Stop } | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  #error: RunAbortedError | undefined = undefined;
  #endListeners: ((outcome: Outcome) => void)[] | undefined = undefined;

  constructor(host: RunHost, id: string, spec: RunSpec, parent: ManagedRun | undefined) {
    super(host, id, spec);
    this.parent = parent;
    this.parentId = parent?.id;
  }

  protected override get self(): this {
    return this;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    const { signal } = this.#controller;
    if (this.stop !== undefined && !signal.aborted) this.#controller.abort(this.closedError());
    return signal;
  }

  override get sessionKey(): string {
    return this.spec.sessionKey;
  }

  get reason(): AbortReason | undefined {
    return this.stop?.reason;
  }

  override get graceMs(): number {
    return this.spec.graceMs;
  }

  get clock(): Clock {
    return this.host.runtime.clock;
  }

  get backend(): Backend {
    return this.host.backend;
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

  epilogue(save: (context: EpilogueContext) => unknown, options: { readonly name?: string } = {}): Attached {
    checkFunction('save', save);
    checkObject('epilogue options', options, GATE_OPTIONS);
    if (options.name !== undefined) checkKey('name', options.name);
    if (!this.isLive) throw this.closedError();
    return this.use().announceEpilogue(options.name ?? 'epilogue', save);
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

  /** The work has returned. */
  returned(value: unknown): void {
    this.isWorking = false;
    if (!this.complete(value)) this.trySettle();
  }

  /** The work has thrown. */
  threw(error: unknown): void {
    this.isWorking = false;
    if (this.fail(error)) return;
    this.failedLate(error);
    this.trySettle();
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
    tellAll(listeners, this.outcome, this);
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
    this.#controller?.abort(this.closedError());
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
    if (timeoutMs !== undefined) {
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

  /** What a retained run needs no more: 10 000 controllers and values are not kept. */
  forget(): void {
    this.#controller = undefined;
    this.spec.signal = undefined;
    this.resources = undefined;
    if (this.status === 'completed') this.result = undefined;
  }

  closedError(): RunfenceError {
    if (this.stop === undefined) return this.status === 'queued' ? runQueued() : runEnded();
    this.#error ??= this.stop.errorFor(this.sessionKey);
    return this.#error;
  }

  confirm(): Awaitable<boolean> {
    return this.host.confirm(this);
  }

  loseLock(): void {
    this.host.cut(this, 'lock-lost');
  }
}

const NO_RUNS: readonly ManagedRun[] = Object.freeze([]);
