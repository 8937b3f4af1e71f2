import { type Awaitable, chain, settle } from '../internal/awaitable.js';
import { RunfenceError } from '../internal/errors.js';
import { abortWith } from '../internal/signals.js';
import { saysStopped } from '../stop/late-error.js';
import type { AbortReason } from '../stop/reason.js';
import { abortError } from '../stop/reason.js';
import { isOver, type LockingRun } from './locking-run.js';
import type { LockQueue } from './queue.js';
import { Sections } from './sections.js';

/** One holding of a session's lock. */
export interface Grant extends Disposable {
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
  /** Gives the lock back. Safe to repeat, and after a loss. `using` does it too. */
  release(): void;
}

/** What a critical section gets. */
export interface CommitContext {
  /** Whose lock it is. */
  readonly sessionKey: string;
  /** The run that holds it; `undefined` for a holder that is no run. */
  readonly runId: string | undefined;
  /** The generation of that run; 0 without one. */
  readonly generation: number;
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
  /** The operation that stops its run revokes it in the record too: is it answered? */
  revocation: 'none' | 'sent' | 'taken' | 'failed' = 'none';
  /** Unlinks the signal that holds it. */
  onLeave: (() => void) | undefined = undefined;
  readonly #queue: LockQueue;
  #state: 'held' | 'ending' | 'over' = 'held';
  #isReleased = false;
  /** Why it was taken from its holder. */
  #reason: AbortReason | undefined = undefined;
  /** Made when it is asked for: most grants are never asked. */
  #lost: AbortController | undefined = undefined;
  /** Made for the first: many grants are only held. */
  #sections: Sections | undefined = undefined;

  constructor(queue: LockQueue, token: number, run: LockingRun | undefined, since: number) {
    this.#queue = queue;
    this.token = token;
    this.run = run;
    this.since = since;
  }

  get sessionKey(): string {
    return this.#queue.key;
  }

  get runId(): string | undefined {
    return this.run?.id;
  }

  get lost(): AbortSignal {
    this.#lost ??= this.#queue.context.runtime.controllers.make();
    this.#tellLost();
    return this.#lost.signal;
  }

  /** It was taken from its holder, and not released. */
  get isLost(): boolean {
    return this.#reason !== undefined;
  }

  /** It was taken although a section ran. */
  get isRevoked(): boolean {
    return this.#sections?.isCut === true;
  }

  get isIdle(): boolean {
    return this.#state === 'held' && !this.#isWriting;
  }

  get #isWriting(): boolean {
    return this.#sections?.isEmpty === false;
  }

  isHeld(): boolean {
    return this.#state === 'held' && this.run?.current !== false;
  }

  commit<T>(section: (context: CommitContext) => Awaitable<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#state !== 'held' || (this.run !== undefined && isOver(this.run))) {
        reject(this.#refusal());
        return;
      }
      // Counted before the check: an abort that lands in it must not free the lock under the section.
      const end = this.#beginSection(reject);
      settle(
        () => this.#confirm(),
        (isValid) => {
          if (!isValid) this.#lose();
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

  /** Its run is cut first: whoever hears of the loss finds it stopped. */
  #lose(): void {
    this.run?.loseLock();
    this.revoke('lock-lost', false);
  }

  /** Whether its run is current in the record, and its token the one that holds the lock: equality, not order. */
  #confirm(): Awaitable<boolean> {
    const { run } = this;
    const { ledger } = this.#queue.context;
    if (run === undefined || run.sessionKey === this.sessionKey) return ledger.check(this.sessionKey, run, this.token);
    return chain(run.confirm(), (isCurrent) => isCurrent && ledger.check(this.sessionKey, undefined, this.token));
  }

  #run<T>(
    section: (context: CommitContext) => Awaitable<T>,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    end: () => void,
  ): void {
    const leftover = this.run?.beginWork('commit', true);
    const sections = this.#sections as Sections;
    const finish = (): void => {
      end();
      if (leftover !== undefined) this.run?.endWork(leftover);
    };
    settle(
      () => section(this.#contextWith(() => sections.overdue)),
      (value) => {
        resolve(value);
        finish();
      },
      (error) => {
        this.#queue.context.runtime.writeFailed(error);
        if (this.isRevoked && !saysStopped(error, () => false)) this.#queue.context.runtime.onError(error, this);
        reject(error);
        finish();
      },
    );
  }

  #refusal(): RunfenceError {
    return this.run?.current === false ? this.run.closedError() : lockLost();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  release(): void {
    if (this.#state !== 'held') return;
    this.#isReleased = true;
    if (this.#isWriting) this.#state = 'ending';
    else this.#over();
  }

  /** The backend says that it is not held any more. */
  loseInBackend(): void {
    this.revocation = 'taken';
    this.#lose();
  }

  /** The operation that was to revoke it in the backend is answered. */
  revocationAnswered(isTaken: boolean): void {
    // Given up before, it was given back by itself: the lock may be somebody else's by now.
    if (this.revocation !== 'sent') return;
    this.revocation = isTaken ? 'taken' : 'failed';
    if (this.#state === 'over') this.#queue.handBack(this);
  }

  /**
   * Takes it from its holder. A section in flight ends first, but not later than the write grace.
   *
   * @param isEnding - the run ended by itself: nothing was lost
   */
  revoke(reason: AbortReason, isEnding: boolean): void {
    if (this.#state === 'over') return;
    if (!isEnding && !this.#isReleased) this.#reason ??= reason;
    if (!this.#isWriting) {
      this.#over();
      return;
    }
    this.#state = 'ending';
    const { runtime, writeGraceMs } = this.#queue.context;
    this.#sections?.limit(runtime.timers, writeGraceMs, () => this.#cutSections());
  }

  #beginSection(reject: (error: RunfenceError) => void): () => void {
    this.#sections ??= new Sections(this.#queue.context.runtime.controllers);
    const sections = this.#sections;
    sections.begin(reject);
    return () => {
      sections.end(reject);
      if (sections.isEmpty && this.#state === 'ending') this.#over();
    };
  }

  #cutSections(): void {
    this.#reason ??= 'lock-lost';
    try {
      this.#sections?.cut(this.#reason, lockLost());
    } catch (error) {
      // Of a signal with a `dispatchEvent` that throws.
      this.#queue.context.runtime.onError(error, this);
    }
    this.#over();
  }

  #over(): void {
    this.#state = 'over';
    this.#sections?.unlimit(this.#queue.context.runtime.timers);
    this.onLeave?.();
    this.#tellLost();
    this.#queue.leave(this);
  }

  #tellLost(): void {
    if (this.#state !== 'over' || this.#reason === undefined || this.#lost?.signal.aborted !== false) return;
    const { onError } = this.#queue.context.runtime;
    abortWith(this.#lost, abortError(this.#reason), (error) => onError(error, this));
  }

  /** For a read, which ends with the grant. */
  get context(): CommitContext {
    return this.#contextWith(() => this.lost);
  }

  #contextWith(lost: () => AbortSignal): CommitContext {
    return {
      sessionKey: this.sessionKey,
      runId: this.run?.id,
      generation: this.run?.generation ?? 0,
      token: this.token,
      get lost() {
        return lost();
      },
    };
  }
}

export function lockLost(): RunfenceError {
  return new RunfenceError('LOCK_LOST', 'This grant is not valid any more: acquire the lock again before you write.');
}
