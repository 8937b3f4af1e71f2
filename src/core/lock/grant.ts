import type { AbortReason } from '../abort/reason.js';
import { abortError, saysAborted } from '../abort/reason.js';
import { type Awaitable, chain, settle } from '../internal/awaitable.js';
import { RunfenceError } from '../internal/errors.js';
import type { LockingRun } from './locking-run.js';
import type { LockQueue } from './queue.js';
import type { Giver } from './returns.js';
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
  /** Goes into the write. */
  readonly token: number;
  /** Aborted if the section takes longer than it may after an abort. */
  readonly lost: AbortSignal;
}

export class HeldGrant implements Grant, Giver {
  readonly token: number;
  readonly run: LockingRun | undefined;
  /** In ms since the epoch, for display. */
  readonly since: number;
  /** The operation that stops its run revokes it in the backend too: is it answered? */
  stop: 'sent' | 'taken' | 'failed' | undefined = undefined;
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
    this.#lost ??= new AbortController();
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

  /** Whether its run is current in the backend, and its token still the session's newest grant: equality, not order. */
  #confirm(): Awaitable<boolean> {
    const { operations } = this.#queue.context;
    return chain(this.run?.confirm() ?? true, (isCurrent) => {
      if (!isCurrent) return false;
      const holder = operations.ask(() => operations.backend.holder(this.sessionKey));
      return chain(holder, (seen) => seen?.token === this.token);
    });
  }

  #run<T>(
    section: (context: CommitContext) => Awaitable<T>,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    end: () => void,
  ): void {
    const leftover = this.run?.beginWork('commit', true);
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
        if (this.isRevoked && !saysAborted(error)) this.#queue.context.runtime.onError(error, this);
        reject(error);
        finish();
      },
    );
  }

  #refusal(): RunfenceError {
    return this.run?.isCurrent() === false ? this.run.closedError() : lockLost();
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
    this.stop = 'taken';
    this.#lose();
  }

  answered(isTaken: boolean): void {
    this.#queue.handedBack(this, isTaken);
  }

  takenLater(): void {
    this.#queue.freedLate(this.token, this.run);
  }

  /** The operation that was to revoke it in the backend is answered. */
  stopAnswered(isTaken: boolean): void {
    this.stop = isTaken ? 'taken' : 'failed';
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
    this.#sections ??= new Sections();
    const sections = this.#sections;
    sections.begin(reject);
    return () => {
      sections.end(reject);
      if (sections.isEmpty && this.#state === 'ending') this.#over();
    };
  }

  #cutSections(): void {
    this.#reason ??= 'lock-lost';
    this.#sections?.cut(this.#reason, lockLost());
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
    this.#lost.abort(abortError(this.#reason));
  }

  #context(): CommitContext {
    const sections = this.#sections as Sections;
    return {
      token: this.token,
      get lost() {
        return sections.overdue;
      },
    };
  }
}

export function lockLost(): RunfenceError {
  return new RunfenceError('LOCK_LOST', 'This grant is not valid any more: acquire the lock again before you write.');
}
