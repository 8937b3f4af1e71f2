import type { Backend, EndRequest, LockAnswer, LockRequest, UnlockRequest } from '../backend/port.js';
import { type Awaitable, isThenable } from './awaitable.js';
import { unavailable } from './errors.js';
import type { Runtime } from './runtime.js';

/**
 * Sends what changes a session to the backend: one operation a session at a time, in order, but a
 * stop before everything unsent; each bounded. A backend that answers at once is called at once.
 */
export class Operations {
  readonly backend: Backend;
  /** The backend's, for `sendRequest`. */
  readonly end: (request: EndRequest) => Awaitable<void>;
  readonly lock: (request: LockRequest) => Awaitable<LockAnswer>;
  readonly unlock: (request: UnlockRequest) => Awaitable<boolean>;
  readonly #runtime: Runtime;
  /** How long an answer may take, in ms. */
  readonly timeoutMs: number;
  readonly #lines = new Map<string, Line>();

  constructor(backend: Backend, runtime: Runtime, timeoutMs: number) {
    this.backend = backend;
    this.end = (request) => backend.end(request);
    this.lock = (request) => backend.lock(request);
    this.unlock = (request) => backend.unlock(request);
    this.#runtime = runtime;
    this.timeoutMs = timeoutMs;
  }

  /**
   * @param call - asked again for its operation when its turn comes
   * @param late - told of an answer that came after the bound: it took effect all the same
   */
  send<T>(sessionKey: string, call: () => Awaitable<T>, late?: (value: T) => void): Awaitable<T> {
    const line = this.#lines.get(sessionKey);
    if (line !== undefined) return this.#queue(line, call, late, false);
    const answer = attempt(call);
    return isThenable(answer) ? this.#open(sessionKey, answer as PromiseLike<T>, late) : answer;
  }

  /** As `send`, for an operation that its request describes: one that is answered at once costs no closure. */
  sendRequest<Q extends { readonly sessionKey: string }, T>(
    request: Q,
    call: (request: Q) => Awaitable<T>,
    late?: (value: T) => void,
  ): Awaitable<T> {
    const { sessionKey } = request;
    if (this.#lines.size > 0 && this.#lines.has(sessionKey)) return this.send(sessionKey, () => call(request), late);
    let answer: Awaitable<T>;
    try {
      answer = call(request);
    } catch (error) {
      throw unavailable(error);
    }
    return isThenable(answer) ? this.#open(sessionKey, answer as PromiseLike<T>, late) : answer;
  }

  /** As `send`, before everything that is not sent yet. */
  sendFirst<T>(sessionKey: string, call: () => Awaitable<T>, late?: (value: T) => void): Awaitable<T> {
    const line = this.#lines.get(sessionKey);
    if (line === undefined) return this.send(sessionKey, call, late);
    return this.#queue(line, call, late, true);
  }

  /** Until all that is to be sent now is answered, or its bound has passed. */
  async sent(): Promise<void> {
    const lines = [...this.#lines.values()];
    await Promise.all(lines.map((line) => this.#queue(line, () => undefined, undefined, false)));
  }

  /** For checks and reads, which nothing holds up. */
  ask<T>(call: () => Awaitable<T>): Awaitable<T> {
    const answer = attempt(call);
    return isThenable(answer) ? this.#bound(answer as PromiseLike<T>, undefined) : answer;
  }

  /** An answer, or `fallback` once the bound has passed: whatever it is made of, and whatever it waits behind. */
  within<T>(answer: Awaitable<T>, fallback: T): Awaitable<T> {
    if (!isThenable(answer)) return answer;
    return this.#bound(answer as PromiseLike<T>, undefined).catch(() => fallback);
  }

  #open<T>(sessionKey: string, answer: PromiseLike<T>, late: ((value: T) => void) | undefined): Promise<T> {
    const line: Line = { urgent: [], waiting: [] };
    this.#lines.set(sessionKey, line);
    const bounded = this.#bound(answer, late);
    const next = (): void => this.#next(sessionKey, line);
    bounded.then(next, next);
    return bounded;
  }

  #queue<T>(line: Line, call: () => Awaitable<T>, late: ((value: T) => void) | undefined, urgent: boolean): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const send = (): Promise<unknown> | undefined => {
        try {
          const answer = attempt(call);
          if (!isThenable(answer)) {
            resolve(answer as T);
            return undefined;
          }
          const bounded = this.#bound(answer as PromiseLike<T>, late);
          bounded.then(resolve, reject);
          return bounded;
        } catch (error) {
          reject(error);
          return undefined;
        }
      };
      (urgent ? line.urgent : line.waiting).push(send);
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

  #bound<T>(answer: PromiseLike<T>, late: ((value: T) => void) | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const { timers } = this.#runtime;
      let isOver = false;
      const timer = timers.after(this.timeoutMs, () => {
        isOver = true;
        timers.unhold();
        reject(unavailable(new Error(`no answer within ${this.timeoutMs} ms`)));
      });
      timers.hold();
      const finish = (): boolean => {
        if (isOver) return false;
        isOver = true;
        timers.cancel(timer);
        timers.unhold();
        return true;
      };
      answer.then(
        (value) => {
          if (finish()) resolve(value);
          else late?.(value);
        },
        (error: unknown) => {
          if (finish()) reject(unavailable(error));
        },
      );
    });
  }
}

interface Line {
  readonly urgent: (() => Promise<unknown> | undefined)[];
  readonly waiting: (() => Promise<unknown> | undefined)[];
}

function attempt<T>(call: () => Awaitable<T>): Awaitable<T> {
  try {
    return call();
  } catch (error) {
    throw unavailable(error);
  }
}
