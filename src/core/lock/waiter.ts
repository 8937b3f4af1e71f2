import type { LockHolder } from '../backend/records.js';
import { RunfenceError } from '../internal/errors.js';
import type { Link } from '../internal/linked.js';
import type { Timer } from '../internal/timers.js';
import type { HeldGrant } from './grant.js';
import type { LockingRun, Watcher } from './locking-run.js';
import type { LockQueue } from './queue.js';

/** Who waits for a session's lock. It leaves the queue when it is granted, refused, or told to stop waiting. */
export class Waiter implements Watcher, Link<Waiter> {
  nextWatcher: Watcher | undefined = undefined;
  previousWatcher: Watcher | undefined = undefined;
  readonly isAlone = true;
  /** Its place in the queue. */
  next: Waiter | undefined = undefined;
  previous: Waiter | undefined = undefined;
  isWaiting = true;
  /** Told that the waiting is over, before whoever waits is. */
  onLeave: ((grant: HeldGrant | undefined) => void) | undefined = undefined;

  readonly queue: LockQueue;
  readonly run: LockingRun | undefined;
  readonly timeoutMs: number;
  #timer: Timer | undefined = undefined;
  #isHolding = false;
  #grant: HeldGrant | undefined = undefined;
  #error: unknown = undefined;
  #onGranted: ((grant: HeldGrant) => void) | undefined = undefined;
  #onRefused: ((error: unknown) => void) | undefined = undefined;

  constructor(queue: LockQueue, run: LockingRun | undefined, timeoutMs: number) {
    this.queue = queue;
    this.run = run;
    this.timeoutMs = timeoutMs;
    run?.watch(this);
  }

  /** The callbacks for one that is still waiting. */
  tell(onGranted: (grant: HeldGrant) => void, onRefused: (error: unknown) => void): void {
    this.#onGranted = onGranted;
    this.#onRefused = onRefused;
  }

  /** What it comes to, for one that has joined the queue: most are served by then. */
  promise(): Promise<HeldGrant> {
    if (this.#grant !== undefined) return Promise.resolve(this.#grant);
    if (!this.isWaiting) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => this.tell(resolve, reject));
  }

  /** It was not served at once, which most are: only then is there a time to limit. */
  startWaiting(): void {
    const { timers } = this.queue.context.runtime;
    // Somebody awaits it: the process must not exit under them.
    timers.hold();
    this.#isHolding = true;
    if (this.timeoutMs <= 0 || this.timeoutMs === Number.POSITIVE_INFINITY) return;
    const timer = timers.after(this.timeoutMs, () => this.queue.timeout(this));
    // The clock is code of the host, and may have ended the waiting.
    if (this.isWaiting) this.#timer = timer;
    else timers.cancel(timer);
  }

  closed(error: RunfenceError): void {
    this.refuse(error);
  }

  refuse(error: unknown): void {
    if (!this.isWaiting) return;
    this.#stopWaiting();
    // Out of the queue first: a listener that hears of the refusal may free the lock, and the queue would serve it for ever.
    this.queue.waiterLeft(this);
    this.onLeave?.(undefined);
    this.#error = error;
    this.#onRefused?.(error);
  }

  /** Out of the queue already, for the same reason. */
  grant(grant: HeldGrant): void {
    this.#stopWaiting();
    this.onLeave?.(grant);
    this.#grant = grant;
    this.#onGranted?.(grant);
  }

  #stopWaiting(): void {
    this.isWaiting = false;
    const { timers } = this.queue.context.runtime;
    timers.cancel(this.#timer);
    if (this.#isHolding) timers.unhold();
    this.run?.unwatch(this);
  }
}

/** Nobody waits for ever for a lock: `holder` says who has it. */
export class LockTimeoutError extends RunfenceError {
  declare readonly code: 'LOCK_TIMEOUT';
  /** Who held the lock when the time was over. */
  readonly holder: LockHolder | undefined;

  constructor(sessionKey: string, timeoutMs: number, holder: LockHolder | undefined, isSelf: boolean) {
    super('LOCK_TIMEOUT', describe(sessionKey, timeoutMs, holder, isSelf));
    this.holder = holder;
  }
}

function describe(sessionKey: string, timeoutMs: number, holder: LockHolder | undefined, isSelf: boolean): string {
  const who = holder === undefined ? 'nobody that is known' : nameOf(holder, isSelf);
  return `The lock of session "${sessionKey}" was not free within ${timeoutMs} ms: it is held by ${who}.`;
}

function nameOf(holder: LockHolder, isSelf: boolean): string {
  const { runId, nodeId, pid, host, why, since } = holder;
  if (isSelf) {
    return `run "${runId}", which is this run itself: write inside the section that has it, a commit is not reentrant`;
  }
  const who =
    runId === undefined ? 'a holder that is no run,' : `run "${runId}"${why === undefined ? '' : ` (${why})`}`;
  const where = pid === undefined ? '' : `, process ${pid} of ${host}, since ${new Date(since).toISOString()}`;
  return `${who} on node ${nodeId}${where}`;
}
