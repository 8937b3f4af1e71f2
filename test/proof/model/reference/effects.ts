import type { Receipt, Reference } from '../reference.js';
import { may, type Who } from './authority.js';
import { whenQuiet } from './drain.js';
import { type Grant, LOCK_TIMEOUT_MS } from './lock.js';
import type { Leftover, Run } from './run.js';

/** What runs do while they run, and what callers ask about them. */
export class Effects {
  readonly #model: Reference;

  constructor(model: Reference) {
    this.#model = model;
  }

  /** A fenced function: called only while the run is current. */
  send(run: Run): boolean {
    if (!run.isCurrent) this.#model.refuseEffect(run);
    return run.isCurrent;
  }

  /** A gated function: a stale run starts none; one that was started is a leftover until it ends. */
  callTool(run: Run, label: string): void {
    const { journal } = this.#model;
    journal.promise(label);
    if (run.isCurrent) {
      run.left.push({ type: 'tool', label });
    } else {
      this.#model.refuseEffect(run);
      journal.settle(label, `! ${run.closed}`);
    }
  }

  /** The caller of a started tool has its answer at the cut; `onError` hears of an error that comes later. */
  endTool(run: Run, label: string, error: string | undefined): void {
    const { journal } = this.#model;
    if (!journal.open.has(label) && error !== undefined) journal.errors.push(error);
    journal.settle(label, error === undefined ? 'done' : `failed ${error}`);
    this.#remove(run, label);
  }

  attach(run: Run, label: string): void {
    run.isLaden = true;
    run.left.push({ type: 'attached', label });
  }

  gone(run: Run, label: string): void {
    this.#remove(run, label);
  }

  /** A critical section: it starts when the run has the lock, and only while the run is current. */
  commit(run: Run, label: string): void {
    const { journal } = this.#model;
    if (run.isCurrent) {
      this.#model.lock(run.session).join(label, run, true, LOCK_TIMEOUT_MS);
      return;
    }
    journal.promise(label);
    if (run.status !== 'queued') this.#model.commitRefused(run);
    journal.settle(label, `! ${run.closed}`);
  }

  /** A section that was started ends as it ends, also after a cut; unless it was revoked: then nobody waits for it. */
  endSection(run: Run, label: string, error: string | undefined): void {
    const { journal } = this.#model;
    const isRevoked = run.grant?.label !== label;
    if (isRevoked && error !== undefined) journal.errors.push(error);
    journal.settle(label, error === undefined ? 'written' : `failed ${error}`);
    if (!isRevoked) this.#model.lock(run.session).release(run.grant as Grant);
    this.#remove(run, label);
  }

  /** The lock as such, held open by a run or by the host. */
  acquire(session: string, run: Run | undefined, label: string, timeoutMs: number): void {
    const { journal } = this.#model;
    if (run?.isCurrent !== false) {
      this.#model.lock(session).join(label, run, false, timeoutMs);
    } else {
      journal.promise(label);
      journal.settle(label, `! ${run.closed}`);
    }
  }

  announceEpilogue(run: Run, label: string): void {
    run.isLaden = true;
    run.epilogues.push(label);
  }

  endEpilogue(run: Run, label: string, error: string | undefined): void {
    if (error !== undefined) this.#model.journal.errors.push(error);
    this.#model.lock(run.session).saved(label, error);
  }

  /** Waits for an outcome. What the requester may not read is unknown, as what does not exist. */
  wait(id: string, label: string, requester: Who, kind: string | undefined, timeoutMs: number): void {
    const { journal, time } = this.#model;
    const run = this.#model.known.get(id);
    journal.promise(label);
    if (run === undefined || (kind ?? run.spec.kind) !== run.spec.kind || !may(requester, run.spec.owner)) {
      journal.settle(label, 'unknown');
    } else if (!run.isLive) {
      journal.settle(label, run.outcome);
    } else if (timeoutMs === 0) {
      journal.settle(label, 'timeout');
    } else {
      const deadline = time.after(timeoutMs, () => journal.settle(label, 'timeout'));
      run.outcomes.push({ label, deadline });
    }
  }

  /** Waits until all runs of a receipt and their descendants are quiet, and says what was seen. */
  report({ runs, at }: Receipt, label: string, timeoutMs: number): void {
    const { journal, time } = this.#model;
    journal.promise(label);
    whenQuiet(time, runs, timeoutMs, (isQuiet) => {
      const reports = runs.map((run) => reportOf(run, time.now));
      journal.settle(label, `${isQuiet} ${time.now - at} ${reports.join('; ')}`);
    });
  }

  #remove(run: Run, label: string): void {
    const isMeant = (leftover: Leftover): boolean => leftover.label === label;
    run.left.splice(run.left.findIndex(isMeant), 1);
    this.#model.ending.unwound(run);
  }
}

function reportOf(run: Run, now: number): string {
  const { id, isQuiet, lock, epilogue, leftovers, fenced, lateError } = run;
  // A descendant that ended by itself was not cut.
  const elapsed = run.reason === undefined ? 0 : (isQuiet ? run.quietAt : now) - run.cutAt;
  return `${id} ${isQuiet ? 'quiet' : 'leftovers'} ${lock} ${epilogue} ${leftovers} ${fenced} ${elapsed} ${lateError}`;
}
