import type { Reference } from '../reference.js';
import type { Run } from './run.js';

export const WRITE_GRACE_MS = 3_000;
export const EPILOGUE_MS = 1_500;
export const LOCK_TIMEOUT_MS = 7_000;

/** One holding of a session's lock: a critical section of a run, or held open by a caller. */
export interface Grant {
  readonly label: string;
  /** No run: the host holds it. */
  readonly run: Run | undefined;
  /** Whether it is one critical section, which an abort lets end. */
  readonly isSection: boolean;
  /** `ending`: taken from its holder, its section still runs. */
  state: 'held' | 'ending' | 'over';
  /** It was taken from its holder. */
  isLost: boolean;
  writeGrace: unknown;
}

interface Waiter extends Pick<Grant, 'label' | 'run' | 'isSection'> {
  readonly deadline: unknown;
}

/** What a run that was aborted still saves, under a grant of its own. */
interface Epilogue {
  readonly run: Run;
  readonly steps: string[];
  isDue: boolean;
  isOver: boolean;
  error: string | undefined;
  deadline: unknown;
}

/** A session's lock: epilogues first, in the order of the cuts, then first come, first served. */
export class Lock {
  readonly session: string;
  readonly #model: Reference;
  readonly #waiters: Waiter[] = [];
  readonly #epilogues: Epilogue[] = [];
  held: Grant | undefined;
  saving: Epilogue | undefined;

  constructor(session: string, model: Reference) {
    this.session = session;
    this.#model = model;
  }

  /** Who has it: a run, the host, or nobody. */
  get holder(): Run | 'host' | undefined {
    return this.held === undefined ? this.saving?.run : (this.held.run ?? 'host');
  }

  /** Waits for the lock. Nobody waits for ever. */
  join(label: string, run: Run | undefined, isSection: boolean, timeoutMs: number): void {
    const { time, journal } = this.#model;
    const waiter: Waiter = {
      label,
      run,
      isSection,
      deadline: time.after(timeoutMs, () => this.#refuse(waiter, 'LOCK_TIMEOUT')),
    };
    journal.promise(label);
    this.#waiters.push(waiter);
    this.#serve();
  }

  /** The run is over: its waiters are refused, before anybody is told of the end. */
  refuseWaitersOf(run: Run): void {
    for (const waiter of this.#waiters.filter((one) => one.run === run)) this.#refuseClosed(waiter, run);
  }

  close(): void {
    for (const waiter of [...this.#waiters]) this.#refuse(waiter, 'CLOSED');
  }

  /** In the tick of the cut: nobody is served before it any more. */
  reserve(run: Run): void {
    run.epilogue = 'pending';
    const steps = [...run.epilogues];
    this.#epilogues.push({ run, steps, isDue: false, isOver: false, error: undefined, deadline: undefined });
  }

  /** A run is over. Its grant is taken, but a section in flight may end, within the write grace. Its epilogue is due. */
  handOver(run: Run, isAborted: boolean): void {
    const { grant } = run;
    if (grant !== undefined) {
      if (isAborted) {
        run.lock = 'pending';
        grant.isLost = true;
      }
      if (grant.isSection) {
        grant.state = 'ending';
        grant.writeGrace = this.#model.time.after(WRITE_GRACE_MS, () => this.#revoke(grant));
      } else {
        this.#free(grant, 'released');
      }
    }
    const epilogue = this.#epilogues.find((one) => one.run === run);
    if (epilogue === undefined) return;
    epilogue.isDue = true;
    this.#serve();
  }

  /** The holder gives it back. A section that was revoked has none any more. */
  release(grant: Grant): void {
    if (grant.state !== 'over') this.#free(grant, 'released');
  }

  /** A step of an epilogue has ended. */
  saved(label: string, error: string | undefined): void {
    const epilogue = this.#epilogues.find(({ steps }) => steps[0] === label) as Epilogue;
    epilogue.error ??= error;
    this.#nextStep(epilogue, label);
  }

  #serve(): void {
    const { journal, time } = this.#model;
    while (this.held === undefined && this.saving === undefined) {
      const epilogue = this.#epilogues.find(({ isDue, isOver }) => isDue && !isOver);
      if (epilogue !== undefined) {
        this.saving = epilogue;
        journal.events.push(`lock:granted ${this.session} ${epilogue.run.id}`);
        epilogue.deadline = time.after(EPILOGUE_MS, () => this.#endEpilogue(epilogue, 'timed-out'));
        epilogue.run.left.push({ type: 'epilogue', label: epilogue.steps[0] as string });
        return;
      }
      const [waiter] = this.#waiters;
      if (waiter === undefined || this.#epilogues.some(({ isOver }) => !isOver)) return;
      // Its run ended, and its children, cut first, have just given the lock back.
      if (waiter.run?.isCurrent === false) this.#refuseClosed(waiter, waiter.run);
      else this.#grant(waiter);
    }
  }

  #grant(waiter: Waiter): void {
    const { label, run, isSection } = waiter;
    const { journal } = this.#model;
    this.#leave(waiter);
    this.held = { label, run, isSection, state: 'held', isLost: false, writeGrace: undefined };
    if (run !== undefined) run.grant = this.held;
    journal.events.push(`lock:granted ${this.session} ${run?.id}`);
    if (isSection) run?.left.push({ type: 'commit', label });
    else journal.settle(label, 'granted');
  }

  #refuseClosed(waiter: Waiter, run: Run): void {
    this.#refuse(waiter, run.closed);
    if (waiter.isSection) this.#model.commitRefused(run);
  }

  #refuse(waiter: Waiter, error: string): void {
    this.#leave(waiter);
    this.#model.journal.settle(waiter.label, `! ${error}`);
  }

  #leave(waiter: Waiter): void {
    this.#model.time.cancel(waiter.deadline);
    this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
  }

  /** The section took too long: its caller is told, and the lock goes on without it. */
  #revoke(grant: Grant): void {
    grant.isLost = true;
    this.#model.journal.settle(grant.label, '! LOCK_LOST');
    this.#free(grant, 'revoked');
  }

  #free(grant: Grant, state: 'released' | 'revoked'): void {
    const { run } = grant;
    const { journal, time } = this.#model;
    time.cancel(grant.writeGrace);
    grant.state = 'over';
    this.held = undefined;
    if (run !== undefined) {
      run.grant = undefined;
      if (run.reason !== undefined) run.lock = state;
    }
    if (grant.isLost) journal.events.push(`lock:lost ${this.session} ${run?.id}`);
    journal.events.push(`lock:released ${this.session} ${run?.id}`);
    this.#serve();
  }

  #nextStep(epilogue: Epilogue, ended: string): void {
    const { run, steps, isOver } = epilogue;
    steps.shift();
    const next = isOver ? undefined : steps[0];
    if (next !== undefined) run.left.push({ type: 'epilogue', label: next });
    run.left.splice(
      run.left.findIndex(({ label }) => label === ended),
      1,
    );
    if (isOver) this.#epilogues.splice(this.#epilogues.indexOf(epilogue), 1);
    if (isOver) this.#model.ending.unwound(run);
    else if (next === undefined) this.#endEpilogue(epilogue, epilogue.error === undefined ? 'done' : 'failed');
  }

  /** At its end or at its bound the lock goes on; a step that still runs is a leftover of its run. */
  #endEpilogue(epilogue: Epilogue, state: 'done' | 'failed' | 'timed-out'): void {
    const { run } = epilogue;
    const { journal, time } = this.#model;
    time.cancel(epilogue.deadline);
    epilogue.isOver = true;
    if (state !== 'timed-out') this.#epilogues.splice(this.#epilogues.indexOf(epilogue), 1);
    run.epilogue = state;
    // A timeout or a takeover leaves nobody a receipt.
    if (state === 'timed-out') journal.errors.push('NOT_SAVED');
    if (state === 'failed') run.lateError ??= epilogue.error;
    // Quiet only once it holds the lock no more.
    this.saving = undefined;
    this.#model.ending.unwound(run);
    journal.events.push(`lock:released ${this.session} ${run.id}`);
    this.#serve();
  }
}
