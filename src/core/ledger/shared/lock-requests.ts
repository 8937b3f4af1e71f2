import type { LockAnswer, LockRequest } from '../../backend/requests.js';
import { type Awaitable, settle } from '../../internal/awaitable.js';
import type { LockQuestion, LockVerdict } from '../ledger.js';
import type { Sending } from './sending.js';
import { lockOf, type SessionView } from './session-view.js';

/** Asks for locks, and gives tokens back. */
export class LockRequests {
  readonly #sending: Sending;

  constructor(sending: Sending) {
    this.#sending = sending;
  }

  lock<R>(view: SessionView, question: LockQuestion, installed: (verdict: LockVerdict) => R): Awaitable<R> {
    const { run, reserved, since } = question;
    const holder = run === undefined ? undefined : { runId: run.id, generation: run.generation };
    const attempt = (reserved === undefined ? undefined : view.attempts.get(reserved)) ?? this.#sending.nextAttempt();
    if (reserved !== undefined) view.attempts.set(reserved, attempt);
    const request = { sessionKey: view.key, run: holder, attempt, reserved, since, seen: view.seen };
    view.locking.add(attempt);
    return settle<R, R>(
      () => this.#sending.client.lock(request, (answer) => this.#locked(view, request, answer, installed)),
      (result) => result,
      (error) => {
        view.locking.delete(attempt);
        this.#sending.records.unanswered(view, lockOf(view.key, reserved));
        throw error;
      },
    );
  }

  unlock(view: SessionView, token: number, runId: string | undefined): Awaitable<boolean> {
    if (view.unlocking.has(token)) return true;
    view.unlocking.add(token);
    return settle<boolean, boolean>(
      () =>
        this.#sending.client.unlock({ sessionKey: view.key, token, seen: view.seen }, (answer) => {
          this.#sending.records.advance(view, answer);
          view.unlocking.delete(token);
          this.#sending.records.answered(view, lockOf(view.key, token));
          // Somebody else had it before: what was written under it may be late.
          if (!answer.wasHeld) this.#sending.host.locks(view.key)?.lost(token);
          this.#sending.host.locks(view.key)?.returned(token);
          this.#sending.records.see(view, answer);
          return true;
        }),
      (isTaken) => isTaken,
      (error) => {
        view.unlocking.delete(token);
        const tell = (): void => this.#sending.context.onError(error, { sessionKey: view.key, runId });
        this.#sending.records.unanswered(view, lockOf(view.key, token), tell);
        return false;
      },
    );
  }

  unlockUnknown(view: SessionView, token: number, runId: string | undefined): void {
    if (!view.unlocking.has(token) && this.#sending.records.givesBack(view, `${token}`))
      void this.unlock(view, token, runId);
  }

  #locked<R>(
    view: SessionView,
    { attempt, run, reserved }: Pick<LockRequest, 'attempt' | 'run' | 'reserved'>,
    answer: LockAnswer,
    installed: (verdict: LockVerdict) => R,
  ): R {
    const isAwaited = view.locking.delete(attempt);
    this.#sending.records.advance(view, answer);
    // Otherwise it asks again, as the same.
    if (reserved !== undefined && isAwaited && answer.kind !== 'busy') view.attempts.delete(reserved);
    // Given up, nobody hears of it: what it was granted is a token that is not here, and is given back.
    const result = isAwaited ? installed(answer) : (undefined as R);
    this.#sending.records.see(view, answer);
    if (!isAwaited && answer.kind === 'granted' && !this.#isWanted(view, answer.token)) {
      void this.unlock(view, answer.token, run?.runId);
    }
    return result;
  }

  /** An epilogue asks for its token until it has it, and may have it from a later question. */
  #isWanted({ key }: SessionView, token: number): boolean {
    const locks = this.#sending.host.locks(key);
    return locks?.epilogueToken === token || locks?.dueEpilogues().some((due) => due.token === token) === true;
  }
}
