import { type AbortReason, saysReason } from '../abort/reason.js';
import type { AbortRegistry } from '../abort/registry.js';
import type { Backend, StoredRun } from '../backend/port.js';
import { type Awaitable, chain, isThenable, settle } from '../internal/awaitable.js';
import { RunfenceError } from '../internal/errors.js';
import type { Operations } from '../internal/operations.js';
import type { Runtime } from '../internal/runtime.js';
import { SignalLinks } from '../internal/signals.js';
import type { SessionLock } from '../lock/session-lock.js';
import type { Ends } from './ends.js';
import type { RunHost } from './host.js';
import type { ManagedRun } from './managed-run.js';
import type { Queue } from './queue.js';
import { Retention, type RetentionOptions } from './retention.js';
import { viewOf } from './view.js';

/** What happens around a run from its reservation until it is forgotten. */
export class Lifecycle implements RunHost {
  readonly runtime: Runtime;
  readonly backend: Backend;
  readonly locks: SessionLock;
  readonly child: RunHost['child'];
  queue!: Queue;
  /** Aborted by a timeout, and not quiet within their grace. */
  readonly abandoned: Set<ManagedRun> = new Set();
  readonly #aborts: AbortRegistry;
  readonly #operations: Operations;
  readonly #retention: Retention;
  readonly #ends: Ends;
  readonly #upstream: SignalLinks<ManagedRun>;
  #isClosed = false;

  constructor(options: {
    readonly aborts: AbortRegistry;
    readonly operations: Operations;
    readonly locks: SessionLock;
    readonly retention: RetentionOptions;
    readonly ends: Ends;
    readonly child: RunHost['child'];
  }) {
    this.runtime = options.aborts.runtime;
    this.backend = options.operations.backend;
    this.locks = options.locks;
    this.child = options.child;
    this.#aborts = options.aborts;
    this.#operations = options.operations;
    this.#retention = new Retention(this.runtime, options.retention, (run) => this.#forget(run));
    this.#ends = options.ends;
    this.#upstream = new SignalLinks((runs, reason) => {
      this.#aborts.stop(runs, this.#aborts.newStop(saysReason(reason)));
    });
  }

  reserved(run: ManagedRun): void {
    const { signal } = run.spec;
    if (signal !== undefined) this.#upstream.link(signal, run);
  }

  marked(run: ManagedRun): void {
    this.#release(run);
    if (run.generation === 0) this.queue.leave(run);
  }

  ended(run: ManagedRun): void {
    this.#release(run);
    if (run.generation === 0) this.queue.leave(run);
    // Before anybody's code runs: a run that begins in a listener finds the session free.
    else this.#sendEnd(run, run.status as 'completed' | 'failed');
    const children = run.dependants();
    if (children.length > 0) this.#aborts.stop(children, this.#aborts.newStop('parent'));
    run.closeWatchers();
    run.announceEnd();
    run.tellEnded();
    run.revokeGrants(true);
    run.unwind();
    this.queue.pump(run.sessionKey);
  }

  unwinding(run: ManagedRun): void {
    this.#limitUnwinding(run);
    // A stopping run does not make its session busy.
    this.queue.pump(run.sessionKey);
  }

  settled(run: ManagedRun): void {
    const isKept = this.keeps(run);
    if (isKept || run.stop !== undefined) run.settledAt = this.runtime.clock.monotonic();
    this.abandoned.delete(run);
    this.#aborts.entries.leaveSession(run);
    run.parent?.resources?.children.delete(run);
    if (run.stop !== undefined) {
      if (run.generation > 0) this.#sendEnd(run, 'aborted');
      if (run.isAnnounced) this.#announceQuiet(run);
    }
    run.forget();
    if (isKept) this.#retention.add(run);
    else this.#aborts.entries.remove(run);
    this.queue.pump(run.sessionKey);
  }

  /** Here and in the backend alike: what one forgets, the other would keep for ever. */
  keeps({ isRefused }: ManagedRun): boolean {
    return this.#retention.keeps && !isRefused;
  }

  cut(run: ManagedRun, reason: AbortReason): void {
    if (run.isLive) this.#aborts.stop([run], this.#aborts.newStop(reason));
  }

  /** The backend's word on whether the run is current. One that was stopped elsewhere is cut here. */
  confirm(run: ManagedRun): Awaitable<boolean> {
    const { sessionKey, id: runId, generation } = run;
    const checked = this.#operations.ask(() => this.backend.check({ sessionKey, runId, generation }));
    return chain(checked, (isCurrent) => {
      if (isCurrent || !run.isCurrent()) return isCurrent;
      const cut = (stored: readonly StoredRun[]): boolean => {
        this.cut(run, stored[0]?.reason ?? 'heartbeat-lost');
        return false;
      };
      // The backend has said that it is stopped; only the reason may stay unknown.
      return settle(
        () => this.#operations.ask(() => this.backend.read({ runId })),
        cut,
        () => cut([]),
      );
    });
  }

  queuedRunIds(sessionKey: string): readonly string[] {
    return this.queue.queuedRunIds(sessionKey);
  }

  /** Forgets what is retained here. The backend keeps it: a retry may reach another node. */
  close(): void {
    this.#isClosed = true;
    this.#retention.close();
    this.#ends.close();
  }

  #release(run: ManagedRun): void {
    this.runtime.timers.cancel(run.deadline);
    run.deadline = undefined;
    const { signal } = run.spec;
    if (signal !== undefined) this.#upstream.unlink(signal, run);
  }

  #announceQuiet(run: ManagedRun): void {
    const { events } = this.runtime;
    if (events.has('run:quiet')) {
      const { elapsedMs, fencedEffects } = run.report();
      events.emit('run:quiet', { run: viewOf(run), elapsedMs, fencedEffects });
    }
    if (run.generation > 0 && events.has('session:changed')) {
      events.emit('session:changed', { sessionKey: run.sessionKey });
    }
  }

  #forget(run: ManagedRun): void {
    this.#aborts.entries.remove(run);
    // The backend never had a run without generation: under this id it may know one of another node.
    if (run.generation === 0 || this.#isClosed) return;
    const { sessionKey, id: runId } = run;
    try {
      // Behind its end: before that, the backend would keep it as a live one.
      const forgotten = this.#operations.send(sessionKey, () => this.backend.forget({ sessionKey, runId }));
      if (isThenable(forgotten)) forgotten.then(undefined, (error) => run.onError(error));
    } catch (error) {
      run.onError(error);
    }
  }

  #sendEnd(run: ManagedRun, status: 'completed' | 'failed' | 'aborted'): void {
    const { sessionKey, id: runId, generation } = run;
    const { nodeId } = this.runtime;
    this.#ends.send({ sessionKey, runId, generation, nodeId, status, retain: this.keeps(run) });
  }

  /** Only what a timeout left behind is abandoned; leftovers of a normal end have no receipt to be named in. */
  #limitUnwinding(run: ManagedRun): void {
    if (run.stop !== undefined && run.stop.reason !== 'timeout') return;
    const { aftermath } = run;
    aftermath.overdue ??= this.runtime.timers.after(run.graceMs, () => {
      if (run.stop !== undefined) {
        this.abandoned.add(run);
        return;
      }
      const names = run.leftovers().join(', ');
      run.onError(new RunfenceError('NOT_STOPPED', `Run "${run.id}" has ended, and is not quiet: ${names}.`));
    });
  }
}
