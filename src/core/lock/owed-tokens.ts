import { isThenable } from '../internal/awaitable.js';
import type { LockContext } from './context.js';
import type { LockingRun } from './locking-run.js';

const NONE: readonly never[] = Object.freeze([]);

/** A token that is to be given back. */
export interface Owed {
  /** The run that it was granted to. */
  readonly run: LockingRun | undefined;
  /** Its grant was told: so is its release. */
  readonly isTold: boolean;
}

/** Gives the tokens of one session back. One that the backend has not taken is kept until the comparison shows it gone. */
export class OwedTokens {
  readonly #key: string;
  readonly #context: LockContext;
  #owed: Map<number, Owed> | undefined = undefined;

  constructor(key: string, context: LockContext) {
    this.#key = key;
    this.#context = context;
  }

  get isEmpty(): boolean {
    return this.#owed === undefined || this.#owed.size === 0;
  }

  get all(): readonly number[] {
    return this.isEmpty ? NONE : [...(this.#owed?.keys() ?? NONE)];
  }

  /** @param answered - called once: whether the backend has taken the token */
  giveBack(token: number, owed: Owed, answered: (isTaken: boolean) => void): void {
    const given = this.#context.ledger.unlock(this.#key, token, owed.run?.id);
    const done = (isTaken: boolean): void => {
      if (!isTaken && !this.#context.isClosed) {
        this.#owed ??= new Map();
        this.#owed.set(token, owed);
      }
      answered(isTaken);
    };
    if (isThenable(given)) void given.then((isTaken) => done(isTaken as boolean));
    else done(given);
  }

  /** It has been taken after all. `undefined` for one that was not owed. */
  take(token: number): Owed | undefined {
    const owed = this.#owed?.get(token);
    this.#owed?.delete(token);
    return owed;
  }

  forget(): void {
    this.#owed = undefined;
  }
}
