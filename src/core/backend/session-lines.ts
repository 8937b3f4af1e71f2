import { type Awaitable, adopt, isThenable } from '../internal/awaitable.js';
import { unavailable } from '../internal/errors.js';
import type { Timer, Timers } from '../internal/timers.js';

type Send = () => Promise<unknown> | undefined;

/** What waits to be sent in one session while an answer is on its way. */
interface Line {
  readonly urgent: Send[];
  readonly waiting: Send[];
}

/** The order and the bound of calls to a backend: one call a session at a time. */
export class SessionLines {
  readonly #timers: Timers;
  readonly #timeoutMs: number;
  readonly #isSynchronous: boolean;
  readonly #lines = new Map<string, Line>();
  /** Calls whose answer is still waited for. */
  inFlight = 0;

  /** @param isSynchronous - every answer is there in the tick of its call: nothing waits for one */
  constructor(timers: Timers, timeoutMs: number, isSynchronous: boolean) {
    this.#isSynchronous = isSynchronous;
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
  }

  has(sessionKey: string): boolean {
    return this.#lines.has(sessionKey);
  }

  /** @param call - called when its turn comes */
  send<T>(sessionKey: string, call: () => Awaitable<T>): Awaitable<T> {
    const line = this.#lines.get(sessionKey);
    if (line !== undefined) return this.#queue(line, call, false);
    return this.#isSynchronous ? this.ask(call) : this.#open(sessionKey, call);
  }

  /** As `send`, before everything that is not sent yet. */
  sendFirst<T>(sessionKey: string, call: () => Awaitable<T>): Awaitable<T> {
    const line = this.#lines.get(sessionKey);
    return line === undefined ? this.send(sessionKey, call) : this.#queue(line, call, true);
  }

  /** At once, beside what is on its way. */
  ask<T>(call: () => Awaitable<T>): Awaitable<T> {
    const answer = attempt(call);
    return isThenable(answer) ? this.bound(answer as PromiseLike<T>) : answer;
  }

  async sent(): Promise<void> {
    const lines = [...this.#lines.values()];
    await Promise.all(lines.map((line) => this.#queue(line, () => undefined, false)));
  }

  bound<T>(answer: PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const timers = this.#timers;
      let isOver = false;
      let timer: Timer | undefined;
      const finish = (): boolean => {
        if (isOver) return false;
        isOver = true;
        this.inFlight -= 1;
        timers.cancel(timer);
        timers.unhold();
        return true;
      };
      this.inFlight += 1;
      // First: what it rejects with is heard by somebody, also if the clock refuses the bound.
      answer.then(
        (value) => {
          if (finish()) resolve(value);
        },
        (error: unknown) => {
          if (finish()) reject(unavailable(error));
        },
      );
      timers.hold();
      try {
        const armed = (next: Timer): void => {
          timer = next;
        };
        timers.afterAwake(this.#timeoutMs, armed, () => {
          if (finish()) reject(unavailable(new Error(`no answer within ${this.#timeoutMs} ms`)));
        });
      } catch (error) {
        finish();
        reject(unavailable(error));
      }
    });
  }

  /** Before the call: what is sent inside it waits behind it. */
  #open<T>(sessionKey: string, call: () => Awaitable<T>): Awaitable<T> {
    const line: Line = { urgent: [], waiting: [] };
    this.#lines.set(sessionKey, line);
    const next = (): void => this.#next(sessionKey, line);
    let answer: Awaitable<T>;
    try {
      answer = attempt(call);
    } catch (error) {
      next();
      throw error;
    }
    if (!isThenable(answer)) {
      next();
      return answer;
    }
    const bounded = this.bound(answer as PromiseLike<T>);
    bounded.then(next, next);
    return bounded;
  }

  #queue<T>(line: Line, call: () => Awaitable<T>, isUrgent: boolean): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const send: Send = () => {
        try {
          const answer = attempt(call);
          if (!isThenable(answer)) {
            resolve(answer as T);
            return undefined;
          }
          const bounded = this.bound(answer as PromiseLike<T>);
          bounded.then(resolve, reject);
          return bounded;
        } catch (error) {
          reject(error);
          return undefined;
        }
      };
      (isUrgent ? line.urgent : line.waiting).push(send);
    });
  }

  #next(sessionKey: string, line: Line): void {
    for (;;) {
      const send = line.urgent.shift() ?? line.waiting.shift();
      if (send === undefined) {
        this.#lines.delete(sessionKey);
        return;
      }
      const sent = send();
      if (sent !== undefined) {
        const next = (): void => this.#next(sessionKey, line);
        sent.then(next, next);
        return;
      }
    }
  }
}

/** What a backend answers with may be any thenable: it is adopted here, where what it throws is the backend's. */
function attempt<T>(call: () => Awaitable<T>): Awaitable<T> {
  try {
    const answer = call();
    return isThenable(answer) ? adopt(answer as PromiseLike<T>) : answer;
  } catch (error) {
    throw unavailable(error);
  }
}
