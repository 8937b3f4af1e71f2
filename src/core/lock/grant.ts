import type { AbortReason } from '../abort/reason.js';
import { abortError } from '../abort/reason.js';
import { type Awaitable, settle } from '../internal/awaitable.js';
import { RunfenceError } from '../internal/errors.js';
import type { Timer } from '../internal/timers.js';
import type { LockingRun } from './locking-run.js';
import type { LockQueue } from './queue.js';

/** One holding of a session's lock. */
export interface Grant {
  /** Whose lock it is. */
  readonly sessionKey: string;
  /** Its number: higher than every earlier one of the session. Write it with the data, and let the store refuse a lower one. */
  readonly token: number;
  /** Aborted when the lock is taken away before it is released. */
  readonly lost: AbortSignal;
  /** Whether it is the session's newest grant, not revoked, and its run is current. Local and synchronous. */
  isHeld(): boolean;
  /**
   * Runs a critical section: after a strict check, and not interrupted by an abort, which waits up
   * to `writeGraceMs` for it.
   *
   * @param section - gets the token that goes into the write
   * @returns what the section returns
   * @throws `LOCK_LOST` if the grant is not valid, or was revoked while the section ran: then the
   *   write may have happened, and only the store's check of the token decides
   * @throws `BACKEND_UNAVAILABLE` if the check got no answer; the section was not called
   */
  commit<T>(section: (context: CommitContext) => Awaitable<T>): Promise<T>;
  /** Gives the lock back. Safe to repeat, and after a loss. */
  release(): void;
}

/** What a critical section gets. */
export interface CommitContext {
  /** Goes into the write. */
  readonly token: number;
  /** Aborted if the section takes longer than it may after an abort. */
  readonly lost: AbortSignal;
}

export class HeldGrant implements Grant {
  readonly token: number;
  readonly run: LockingRun | undefined;
  /** In ms since the epoch, for display. */
  readonly since: number;
  /** Revoked by the backend together with the stop of its run: nothing to unlock. */
  isStoppedInBackend = false;
  /** Unlinks the signal that holds it. */
  onLeave: (() => void) | undefined = undefined;
  readonly #queue: LockQueue;
  #state: 'held' | 'ending' | 'over' = 'held';
  #sections = 0;
  #reason: AbortReason | undefined;
  #lost: AbortController | undefined;
  #writeGrace: Timer | undefined;
  /** Rejects the callers of sections that outlive the write grace. */
  readonly #onRevoked: Set<(error: RunfenceError) => void> = new Set();

  constructor(queue: LockQueue, token: number, run: LockingRun | undefined, since: number) {
    this.#queue = queue;
    this.token = token;
    this.run = run;
    this.since = since;
  }

  get sessionKey(): string {
    return this.#queue.key;
  }

  get lost(): AbortSignal {
    this.#lost ??= new AbortController();
    if (this.#reason !== undefined && !this.#lost.signal.aborted) {
      this.#lost.abort(abortError(this.#reason));
    }
    return this.#lost.signal;
  }

  get isIdle(): boolean {
    return this.#state === 'held' && this.#sections === 0;
  }

  isHeld(): boolean {
    return this.#state === 'held' && this.run?.isCurrent() !== false;
  }

  commit<T>(section: (context: CommitContext) => Awaitable<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!this.isHeld()) {
        reject(this.#refusal());
        return;
      }
      // Counted before the check: an abort that lands in it must not free the lock under the section.
      const end = this.#beginSection(reject);
      settle(
        () => this.#queue.confirm(this.token),
        (isValid) => {
          if (!isValid) this.revoke('lock-lost', false);
          if (isValid && this.isHeld()) {
            this.#run(section, resolve, reject, end);
          } else {
            end();
            reject(this.#refusal());
          }
        },
        (error) => {
          end();
          reject(error);
        },
      );
    });
  }

  /** The one section of a grant that was just given, which is released with it. The grant was the check. */
  commitAtOnce<T>(section: (context: CommitContext) => Awaitable<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const end = this.#beginSection(reject);
      this.#run(section, resolve, reject, () => {
        end();
        this.release();
      });
    });
  }

  #run<T>(
    section: (context: CommitContext) => Awaitable<T>,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    end: () => void,
  ): void {
    const leftover = this.run?.beginWork('commit');
    const finish = (): void => {
      end();
      if (leftover !== undefined) this.run?.endWork(leftover);
    };
    settle(
      () => section(this.#context()),
      (value) => {
        resolve(value);
        finish();
      },
      (error) => {
        reject(error);
        finish();
      },
    );
  }

  #refusal(): RunfenceError {
    return this.run?.isCurrent() === false ? this.run.closedError() : lockLost();
  }

  release(): void {
    if (this.#state !== 'held') return;
    this.#state = this.#sections > 0 ? 'ending' : 'over';
    if (this.#state === 'over') this.#over();
  }

  /**
   * Takes it from its holder. A section in flight ends first, but not later than the write grace.
   *
   * @param isEnding - the run ended by itself: nothing was lost
   */
  revoke(reason: AbortReason, isEnding: boolean): void {
    if (this.#state === 'over') return;
    if (!isEnding && this.#reason === undefined) {
      this.#reason = reason;
      if (this.#sections === 0) this.#fireLost();
    }
    if (this.#sections === 0) {
      this.#state = 'over';
      this.#over();
      return;
    }
    this.#state = 'ending';
    this.#writeGrace ??= this.#queue.afterWriteGrace(() => this.#cutSections());
  }

  #beginSection(reject: (error: RunfenceError) => void): () => void {
    this.#sections += 1;
    this.#onRevoked.add(reject);
    return () => {
      this.#sections -= 1;
      this.#onRevoked.delete(reject);
      if (this.#sections === 0 && this.#state === 'ending') {
        this.#state = 'over';
        this.#over();
      }
    };
  }

  #cutSections(): void {
    this.#state = 'over';
    this.#reason ??= 'lock-lost';
    this.#fireLost();
    for (const reject of this.#onRevoked) reject(lockLost());
    this.#over('revoked');
  }

  #over(how: 'released' | 'revoked' = 'released'): void {
    this.#queue.cancel(this.#writeGrace);
    this.onLeave?.();
    this.#queue.leave(this, this.#reason !== undefined, how);
  }

  #fireLost(): void {
    if (this.#reason !== undefined) this.#lost?.abort(abortError(this.#reason));
  }

  #context(): CommitContext {
    const grant = this;
    return {
      token: this.token,
      get lost() {
        return grant.lost;
      },
    };
  }
}

export function lockLost(): RunfenceError {
  return new RunfenceError('LOCK_LOST', 'This grant is not valid any more: acquire the lock again before you write.');
}
