import type { AbortReason } from 'runfence';
import type { Reference } from '../reference.js';
import type { Who } from './authority.js';
import type { Run } from './run.js';

/** How long, and how many, ended runs stay known by id. */
export const RETENTION = { ttlMs: 40_000, max: 12 } as const;

export interface Stop {
  readonly reason: AbortReason;
  readonly requester?: Who;
  readonly supersededBy?: string;
}

export interface CutRun {
  readonly run: Run;
  readonly stop: Stop;
}

/** How runs end: by themselves, or cut; how they unwind, and for how long they are retained. */
export class Ending {
  /** Runs that a timeout aborted, and that are not quiet within their grace. */
  readonly abandoned: Set<Run> = new Set();
  /** Ended runs, oldest first. */
  readonly retained: Set<Run> = new Set();
  readonly #model: Reference;

  constructor(model: Reference) {
    this.#model = model;
  }

  /** Cuts the runs and, as `parent`, all their descendants: marks all, then tells. */
  cut(runs: readonly Run[], stop: Stop): readonly Run[] {
    const cut = this.mark(runs, stop);
    this.tell(cut);
    return cut.map(({ run }) => run);
  }

  /** In one tick: stale, out of the queue, and the lock reserved for what is still to be saved. */
  mark(runs: readonly Run[], stop: Stop): readonly CutRun[] {
    const cut: CutRun[] = [];
    const mark = (run: Run, why: Stop): void => {
      if (!run.isLive) return;
      const wasQueued = run.status === 'queued';
      run.status = wasQueued && !run.isLaden ? 'aborted' : 'stopping';
      run.reason = why.reason;
      run.cutAt = this.#model.time.now;
      this.#model.time.cancel(run.timeout);
      if (wasQueued) this.#model.queue.leave(run);
      cut.push({ run, stop: why });
    };
    for (const run of runs) mark(run, stop);
    const { supersededBy: _, ...cascade } = stop;
    for (const { run } of cut) for (const child of run.children) mark(child, { ...cascade, reason: 'parent' });
    for (const { run } of cut) {
      if (run.epilogues.length === 0) continue;
      if (run.hasStarted) this.#model.lock(run.session).reserve(run);
      else run.epilogue = 'skipped';
    }
    return cut;
  }

  /** Signals, then events, then locks, then what is left: each for all, so that nobody sees a half-cut set. */
  tell(cut: readonly CutRun[]): void {
    for (const { run } of cut) this.#close(run);
    for (const { run, stop } of cut) {
      if (run.isAnnounced) {
        const { requester, supersededBy } = stop;
        this.#model.journal.events.push(
          `run:aborted ${run.id} ${run.status} ${run.reason} ${requester ?? 'host'} ${supersededBy}`,
        );
      }
      this.#tellEnd(run);
    }
    for (const { run } of cut) this.#model.lock(run.session).handOver(run, true);
    for (const { run } of cut) this.#unwind(run);
  }

  /** True if it is what ends the run; the first outcome stays. */
  complete(run: Run, value: string): boolean {
    const wins = run.status === 'running';
    if (wins) this.#end(run, 'completed', value);
    else if (run.isHandle) this.returned(run);
    return wins;
  }

  fail(run: Run, error: string): boolean {
    const wins = run.isLive;
    if (wins) this.#end(run, 'failed', error);
    else if (run.isHandle) this.returned(run);
    return wins;
  }

  /** The work has unwound. */
  returned(run: Run): void {
    if (!run.isWorking) return;
    run.isWorking = false;
    this.unwound(run);
  }

  /** The work returned. */
  finished(run: Run, value: string): void {
    run.isWorking = false;
    if (!this.complete(run, value)) this.unwound(run);
  }

  /** The work threw. After the cut nobody waits for its error: `onError` hears of it, and the receipt. */
  threw(run: Run, error: string): void {
    run.isWorking = false;
    if (this.fail(run, error)) return;
    run.lateError = error;
    this.#model.journal.errors.push(error);
    this.unwound(run);
  }

  #end(run: Run, status: 'completed' | 'failed', result: string): void {
    const { session } = run;
    run.status = status;
    if (status === 'completed') run.value = result;
    else run.error = result;
    if (run.isHandle) run.isWorking = false;
    this.#model.time.cancel(run.timeout);
    if (!run.hasStarted) this.#model.queue.leave(run);
    this.cut([...run.children], { reason: 'parent' });
    this.#close(run);
    this.#tellEnd(run);
    this.#model.lock(session).handOver(run, false);
    this.#unwind(run);
    this.#model.queue.serve(session);
  }

  /** Wakes what waits: tool calls, and waiters for the lock. */
  #close(run: Run): void {
    this.#model.lock(run.session).refuseWaitersOf(run);
    for (const { type, label } of run.left) {
      if (type === 'tool') this.#model.journal.settle(label, `! ${run.closed} started`);
    }
  }

  #tellEnd(run: Run): void {
    const { session, outcome } = run;
    if (run.isAnnounced) {
      this.#model.journal.events.push(`run:ended ${run.id} ${run.status} ${run.error}`);
      if (run.hasStarted) this.#model.announceSession(run);
      else this.#model.queue.announce(session);
    }
    if (run.promise !== undefined) this.#model.journal.settle(run.promise, outcome);
    for (const { label, deadline } of run.outcomes.splice(0)) {
      this.#model.time.cancel(deadline);
      this.#model.journal.settle(label, outcome);
    }
    for (const listener of [...run.onEnd]) listener();
  }

  /** Its end was told. What a timeout left behind is abandoned after its grace; what a normal end left is reported. */
  #unwind(run: Run): void {
    run.isTold = true;
    this.unwound(run);
    if (run.isQuiet) return;
    if (run.reason === undefined || run.reason === 'timeout') {
      run.overdue = this.#model.time.after(run.spec.graceMs, () => {
        if (run.reason === 'timeout') this.abandoned.add(run);
        else this.#model.journal.errors.push('NOT_STOPPED');
      });
    }
    this.#model.queue.serve(run.session);
  }

  /** Something of it has ended: is it quiet? Then it is retained for a while, and who waits for quiet may start. */
  unwound(run: Run): void {
    if (!run.isTold || run.isQuiet || !run.isUnwound) return;
    run.isQuiet = true;
    run.quietAt = this.#model.time.now;
    if (run.status === 'stopping') run.status = 'aborted';
    this.#model.time.cancel(run.overdue);
    this.abandoned.delete(run);
    run.parent?.children.delete(run);
    if (run.reason !== undefined && run.isAnnounced) {
      this.#model.journal.events.push(`run:quiet ${run.id} ${run.status} ${run.quietAt - run.cutAt} ${run.fenced}`);
      if (run.hasStarted) this.#model.announceSession(run);
    }
    this.#retain(run);
    this.#model.queue.serve(run.session);
    for (const listener of [...run.onQuiet]) listener();
  }

  #retain(run: Run): void {
    if (run.isRefused || this.#model.phase === 'closed') {
      this.#model.known.delete(run.id);
      return;
    }
    this.retained.add(run);
    run.retention = this.#model.time.after(RETENTION.ttlMs, () => this.forget(run));
    const [oldest] = this.retained;
    if (this.retained.size > RETENTION.max) this.forget(oldest as Run);
  }

  forget(run: Run): void {
    this.#model.time.cancel(run.retention);
    this.retained.delete(run);
    this.#model.known.delete(run.id);
  }
}
