import type { AbortRegistry } from '../abort/registry.js';
import { Stop } from '../abort/stop.js';
import { type Awaitable, chain } from '../internal/awaitable.js';
import { RunfenceError } from '../internal/errors.js';
import type { Ledger } from '../ledger/ledger.js';
import type { SessionLock } from '../lock/session-lock.js';
import type { NodeContext } from '../node-context.js';
import { type AbortReason, saysReason } from '../stop/reason.js';
import { announceForgotten, announceQuiet } from './announce.js';
import type { RunHost } from './host.js';
import type { ManagedRun } from './managed-run.js';
import type { Nesting } from './nesting.js';
import { Retention, type RetentionOptions } from './retention.js';
import type { StartQueue } from './start-queue.js';

/** So long after its cut, in ms, a run that is not quiet is reported to the other nodes, and again when its grace is over. */
const REPORT_MS = 200;

type Step = (life: Lifecycle, run: ManagedRun) => void;

/** What happens around a run from its reservation until it is forgotten. */
export class Lifecycle implements RunHost {
  readonly runtime: NodeContext;
  readonly ledger: Ledger;
  readonly locks: SessionLock;
  readonly nesting: Nesting;
  readonly child: RunHost['child'];
  /** Aborted by a timeout, and not quiet within their grace. */
  readonly abandoned: Set<ManagedRun> = new Set();
  readonly #aborts: AbortRegistry;
  readonly #queue: () => StartQueue;
  readonly #retention: Retention;
  readonly #cutByCaller: (runs: ManagedRun[], reason: unknown) => void;
  #isClosed = false;

  constructor(options: {
    readonly aborts: AbortRegistry;
    readonly ledger: Ledger;
    readonly locks: SessionLock;
    readonly nesting: Nesting;
    readonly retention: RetentionOptions;
    readonly queue: () => StartQueue;
    readonly child: RunHost['child'];
  }) {
    this.runtime = options.aborts.runtime;
    this.ledger = options.ledger;
    this.locks = options.locks;
    this.nesting = options.nesting;
    this.child = options.child;
    this.#aborts = options.aborts;
    this.#queue = options.queue;
    this.#retention = new Retention(this.runtime, options.retention, (run) => this.#forget(run));
    this.#cutByCaller = (runs, reason) => {
      const stop = this.#aborts.newStop(saysReason(reason));
      stop.comesFromSignal = true;
      this.#aborts.stop(runs, stop);
    };
  }

  reserved(run: ManagedRun): void {
    const { signal } = run.spec;
    if (signal !== undefined) this.runtime.signals.link(signal, run, this.#cutByCaller);
  }

  marked(run: ManagedRun): void {
    if (run.generation === 0) this.#queue().leave(run);
  }

  fired(run: ManagedRun): void {
    this.#release(run);
    if (run.candidate !== undefined) this.#queue().stopWaiting(run.candidate);
  }

  ending(run: ManagedRun): void {
    this.#each(Lifecycle.#ending, run);
  }

  ended(run: ManagedRun): void {
    this.#each(Lifecycle.#ended, run);
  }

  unwinding(run: ManagedRun): void {
    this.#each(Lifecycle.#unwinding, run);
  }

  saved(run: ManagedRun): void {
    if (this.ledger.isShared && run.generation > 0) this.ledger.announce(run);
  }

  settled(run: ManagedRun): void {
    this.#each(Lifecycle.#settled, run);
  }

  static readonly #ending: readonly Step[] = [
    (life, run) => {
      // Before anybody's code runs, the clock's among it: a run that begins there finds the session free.
      if (run.generation > 0) life.ledger.end(run, run.endStatus);
      else {
        life.#queue().leave(run);
        if (run.candidate !== undefined) life.#queue().stopWaiting(run.candidate);
        run.stands();
      }
    },
    (life, run) => life.#release(run),
    (life, run) => {
      const children = run.dependants();
      if (children.length > 0) life.#aborts.stop(children, life.#aborts.newStop('parent'));
    },
    (_life, run) => run.closeWatchers(),
    (_life, run) => {
      // Where the record is still to answer, the lock does not wait for it.
      if (!run.isDecided) run.revokeGrants(true);
    },
  ];

  static readonly #ended: readonly Step[] = [
    (_life, run) => run.revokeGrants(true),
    (_life, run) => run.unwind(),
    (life, run) => life.#queue().pump(run.sessionKey),
  ];

  static readonly #unwinding: readonly Step[] = [
    (life, run) => life.#limitUnwinding(run),
    (life, run) => {
      if (run.interrupted === false) life.#tellUnreadLater(run);
    },
    (life, run) => {
      const isHeardElsewhere = run.generation > 0 && life.ledger.isShared;
      if (run.stop !== undefined && isHeardElsewhere) life.#reportLater(run, REPORT_MS);
    },
    // A stopping run does not make its session busy.
    (life, run) => life.#queue().pump(run.sessionKey),
  ];

  static readonly #settled: readonly Step[] = [
    (life, run) => {
      if (life.keeps(run) || run.stop !== undefined) run.settledAt = life.runtime.clock.monotonic();
      life.abandoned.delete(run);
      life.#aborts.entries.leaveSession(run);
      run.parent?.resources?.children.delete(run);
    },
    (life, run) => {
      if (run.stop !== undefined && run.hasStarted) life.ledger.end(run, 'aborted');
    },
    (_life, run) => {
      if (run.stop !== undefined && run.isAnnounced) announceQuiet(run);
    },
    (life, run) => {
      run.forget();
      if (life.keeps(run)) life.#retention.add(run);
      else life.#remove(run);
    },
    (life, run) => life.#queue().pump(run.sessionKey),
    (life, run) => life.ledger.idle(run.sessionKey),
  ];

  /** Each step, whatever became of the one before: a clock may refuse a timer, or an end a listener. */
  #each(steps: readonly Step[], run: ManagedRun): void {
    for (const step of steps) {
      try {
        step(this, run);
      } catch (error) {
        run.onError(error);
      }
    }
  }

  /** Here and in the record alike: what one forgets, the other would keep for ever. */
  keeps({ isRefused }: ManagedRun): boolean {
    return this.#retention.keeps && !isRefused;
  }

  cut(run: ManagedRun, reason: AbortReason): void {
    if (run.isLive) this.#aborts.stop([run], this.#aborts.newStop(reason));
  }

  cutRecorded(run: ManagedRun, { reason, supersededBy, detail }: Parameters<RunHost['cutRecorded']>[1]): void {
    const stop = new Stop(reason, this.runtime.clock.monotonic(), undefined, supersededBy, detail);
    this.#aborts.stop([run], stop, new Set([run]));
  }

  /** The record's word on whether the run is current. One that was stopped elsewhere is cut here. */
  confirm(run: ManagedRun): Awaitable<boolean> {
    return chain(this.ledger.check(run.sessionKey, run, undefined), (stands) => {
      // The record could not be read again to say why: nothing may start all the same.
      if (!stands) this.cut(run, 'heartbeat-lost');
      return stands;
    });
  }

  queueChanged(sessionKey: string): void {
    this.#queue().changed(sessionKey);
  }

  /** Forgets what is retained here. The record keeps it: a retry may reach another node. */
  close(): void {
    this.#isClosed = true;
    this.#retention.close();
  }

  #release(run: ManagedRun): void {
    this.runtime.timers.cancel(run.deadline);
    run.deadline = undefined;
    const { signal } = run.spec;
    if (signal !== undefined) this.runtime.signals.unlink(signal, run);
  }

  #remove(run: ManagedRun): void {
    this.#aborts.entries.remove(run);
    announceForgotten(run);
  }

  #forget(run: ManagedRun): void {
    this.#remove(run);
    // The record never had a run without generation: under this id it may know one of another node.
    if (run.hasStarted && !this.#isClosed) this.ledger.forget(run);
  }

  /** Receipts of other nodes show what is left of a run that they have stopped. */
  #reportLater(run: ManagedRun, ms: number): void {
    const { aftermath } = run;
    aftermath.reporting ??= this.runtime.timers.after(ms, () => {
      aftermath.reporting = undefined;
      if (run.isQuiet) return;
      this.ledger.announce(run);
      const left = run.graceMs * REPORT_AT - run.report().elapsedMs;
      if (left > 0) this.#reportLater(run, left);
    });
  }

  /** Work that looks whether it is current may not have looked yet. */
  #tellUnreadLater(run: ManagedRun): void {
    run.aftermath.unread ??= this.runtime.timers.after(REPORT_MS, () => {
      if (run.interrupted === false) this.runtime.signalUnread(run);
    });
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

/** The second report comes at this part of the grace: a receipt of another node that waits for it still gets it. */
const REPORT_AT = 0.9;
