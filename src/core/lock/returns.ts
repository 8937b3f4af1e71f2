import type { LockHolder } from '../backend/port.js';
import { type Awaitable, isThenable, settle } from '../internal/awaitable.js';
import type { Timer } from '../internal/timers.js';
import type { LockContext } from './context.js';

/** A token that the backend did not take is given back again: nobody else can free the lock. */
const RETRY_MS = 1_000;

/** Who gives a token back, and is told what became of it. */
export interface Giver {
  /** Whose grant it was, as far as is known. */
  readonly runId: string | undefined;
  /** Called once: whether the backend has taken the token. */
  answered(isTaken: boolean): void;
  /** Called if it did not, and then did. */
  takenLater(): void;
}

/** Gives the tokens of one session back, each until the backend has taken it. */
export class Returns {
  readonly #key: string;
  readonly #context: LockContext;
  /** Tokens that the backend did not take, and whom to tell once it has. */
  #owed: Map<number, Giver> | undefined = undefined;
  /** Sent and not answered: none where the backend answers at once. */
  readonly #sending: number[] = [];
  #timer: Timer | undefined = undefined;
  /** The answer to a grant was lost, and who has the lock is not known yet: whom to tell. */
  #reading: (() => void) | undefined = undefined;
  #readTimer: Timer | undefined = undefined;

  constructor(key: string, context: LockContext) {
    this.#key = key;
    this.#context = context;
  }

  get isEmpty(): boolean {
    return (
      this.#sending.length === 0 && this.#reading === undefined && (this.#owed === undefined || this.#owed.size === 0)
    );
  }

  /** What the backend has not taken yet, by name. */
  get unsent(): string[] {
    const tokens = [...this.#sending, ...(this.#owed?.keys() ?? [])].map(
      (token) => `the lock of "${this.#key}", token ${token}`,
    );
    return this.#reading === undefined ? tokens : [...tokens, `a grant of "${this.#key}" whose answer was lost`];
  }

  /** Sends at once what would be sent again later. */
  hurry(): void {
    this.#giveOwed();
    if (this.#readTimer !== undefined && this.#reading !== undefined) this.readBack(this.#reading);
  }

  give(token: number, giver: Giver): void {
    this.#send(token, giver, true);
  }

  /**
   * Asking for the lock failed, and may have taken it all the same: nobody else would give it back. Read until the
   * backend answers, or somebody here asks for the lock again, who is told the same.
   *
   * @param done - called when it is known, and when what was taken is given back
   */
  readBack(done: () => void): void {
    const { operations, runtime } = this.#context;
    this.known();
    this.#reading = done;
    settle(
      () => operations.send(this.#key, () => operations.backend.holder(this.#key)),
      (holder) => {
        this.#reading = undefined;
        this.giveStray(holder, done);
        done();
      },
      (error) => {
        runtime.onError(error, { sessionKey: this.#key });
        if (this.#context.isClosed) this.#reading = undefined;
        else this.#readTimer = runtime.timers.after(RETRY_MS, () => this.readBack(done));
      },
    );
  }

  /** Whoever is granted the lock, or is told who has it, knows. */
  known(): void {
    if (this.#readTimer === undefined) return;
    this.#context.runtime.timers.cancel(this.#readTimer);
    this.#readTimer = undefined;
    this.#reading = undefined;
  }

  /** Gives back what the backend holds for this node, and nobody here has: the answer to the grant was lost. */
  giveStray(holder: LockHolder | undefined, taken: () => void): void {
    if (holder?.nodeId !== this.#context.runtime.nodeId) return;
    const { token, runId } = holder;
    if (!this.#sending.includes(token) && this.#owed?.has(token) !== true) {
      this.give(token, { runId, answered: taken, takenLater: taken });
    }
  }

  /** The backend takes nothing any more. */
  close(): void {
    const { timers } = this.#context.runtime;
    this.#owed = undefined;
    timers.cancel(this.#timer);
    this.#timer = undefined;
    this.known();
    // The session does not wait for what is on its way: nobody is told if it fails from now on.
    this.#sending.length = 0;
    this.#reading = undefined;
  }

  #owe(token: number, giver: Giver): void {
    this.#owed ??= new Map();
    this.#owed.set(token, giver);
    this.#timer ??= this.#context.runtime.timers.after(RETRY_MS, () => this.#giveOwed());
  }

  #giveOwed(): void {
    this.#context.runtime.timers.cancel(this.#timer);
    this.#timer = undefined;
    const owed = this.#owed ?? [];
    this.#owed = undefined;
    for (const [token, giver] of owed) this.#send(token, giver, false);
  }

  #send(token: number, giver: Giver, isFirst: boolean): void {
    let answer: Awaitable<boolean>;
    try {
      answer = this.#unlock(token);
    } catch (error) {
      this.#notTaken(token, giver, isFirst, error);
      return;
    }
    if (!isThenable(answer)) {
      tell(giver, isFirst);
      return;
    }
    this.#sending.push(token);
    answer.then(
      () => {
        this.#sent(token);
        tell(giver, isFirst);
      },
      (error) => {
        this.#sent(token);
        this.#notTaken(token, giver, isFirst, error);
      },
    );
  }

  #notTaken(token: number, giver: Giver, isFirst: boolean, error: unknown): void {
    if (isFirst) this.#context.runtime.onError(error, { sessionKey: this.#key, runId: giver.runId });
    if (!this.#context.isClosed) this.#owe(token, giver);
    if (isFirst) giver.answered(false);
  }

  #sent(token: number): void {
    const at = this.#sending.indexOf(token);
    if (at >= 0) this.#sending.splice(at, 1);
  }

  #unlock(token: number): Awaitable<boolean> {
    const { operations } = this.#context;
    return operations.sendRequest({ sessionKey: this.#key, token }, operations.unlock);
  }
}

function tell(giver: Giver, isFirst: boolean): void {
  if (isFirst) giver.answered(true);
  else giver.takenLater();
}
