import type { LockHolder } from '../backend/port.js';
import { type Awaitable, settle } from '../internal/awaitable.js';
import type { Timer } from '../internal/timers.js';
import type { LockContext } from './context.js';

/** A token that the backend did not take is given back again: nobody else can free the lock. */
const RETRY_MS = 1_000;

/** Gives the tokens of one session back, each until the backend has taken it. */
export class Returns {
  readonly #key: string;
  readonly #context: LockContext;
  /** Tokens that the backend did not take, and whom to tell once it has. */
  readonly #owed: Map<number, () => void> = new Map();
  #sending = 0;
  #timer: Timer | undefined;

  constructor(key: string, context: LockContext) {
    this.#key = key;
    this.#context = context;
  }

  get isEmpty(): boolean {
    return this.#owed.size === 0 && this.#sending === 0;
  }

  /**
   * @param answered - called once: whether the backend has taken the token
   * @param takenLater - called if it did not, and then did
   */
  give(token: number, answered: (isTaken: boolean) => void, takenLater: () => void): void {
    this.#sending += 1;
    settle(
      () => this.#unlock(token),
      () => {
        this.#sending -= 1;
        answered(true);
      },
      (error) => {
        this.#sending -= 1;
        this.#context.runtime.onError(error);
        if (!this.#context.isClosed) this.#owe(token, takenLater);
        answered(false);
      },
    );
  }

  /** Asking for the lock failed, and may have taken it all the same: nobody else would give it back. */
  readBack(taken: () => void): void {
    const { operations, runtime } = this.#context;
    settle(
      () => operations.send(this.#key, () => operations.backend.holder(this.#key)),
      (holder) => this.giveStray(holder, taken),
      runtime.onError,
    );
  }

  /** Gives back what the backend holds for this node, and nobody here has: the answer to the grant was lost. */
  giveStray(holder: LockHolder | undefined, taken: () => void): void {
    if (holder?.nodeId === this.#context.runtime.nodeId && this.isEmpty) this.give(holder.token, taken, taken);
  }

  /** The backend takes nothing any more. */
  close(): void {
    this.#owed.clear();
    this.#context.runtime.timers.cancel(this.#timer);
    this.#timer = undefined;
  }

  #owe(token: number, takenLater: () => void): void {
    this.#owed.set(token, takenLater);
    this.#timer ??= this.#context.runtime.timers.after(RETRY_MS, () => {
      this.#timer = undefined;
      const owed = [...this.#owed];
      this.#owed.clear();
      for (const [again, later] of owed) this.#giveAgain(again, later);
    });
  }

  #giveAgain(token: number, takenLater: () => void): void {
    this.#sending += 1;
    settle(
      () => this.#unlock(token),
      () => {
        this.#sending -= 1;
        takenLater();
      },
      () => {
        this.#sending -= 1;
        if (!this.#context.isClosed) this.#owe(token, takenLater);
      },
    );
  }

  #unlock(token: number): Awaitable<boolean> {
    const { operations } = this.#context;
    return operations.send(this.#key, () => operations.backend.unlock({ sessionKey: this.#key, token }));
  }
}
