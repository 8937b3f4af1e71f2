import type { EndRequest } from '../backend/port.js';
import { type Awaitable, isThenable, settle } from '../internal/awaitable.js';
import type { Operations } from '../internal/operations.js';
import type { Runtime } from '../internal/runtime.js';
import type { Timer } from '../internal/timers.js';

const RETRY_MS = 1_000;

/** Tells the backend of ends, each until it has taken it: a run that it has as live stands in the way of other nodes. */
export class Ends {
  readonly #runtime: Runtime;
  readonly #operations: Operations;
  readonly #owed: Set<EndRequest> = new Set();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(runtime: Runtime, operations: Operations) {
    this.#runtime = runtime;
    this.#operations = operations;
  }

  send(request: EndRequest): void {
    try {
      const ended = this.#end(request);
      if (isThenable(ended)) ended.then(undefined, (error) => this.#failed(request, error));
    } catch (error) {
      this.#failed(request, error);
    }
  }

  /** The backend takes nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.#owed.clear();
    this.#runtime.timers.cancel(this.#timer);
  }

  #end(request: EndRequest): Awaitable<void> {
    return this.#operations.send(request.sessionKey, () => this.#operations.backend.end(request));
  }

  #failed(request: EndRequest, error: unknown): void {
    this.#runtime.onError(error);
    this.#owe(request);
  }

  #owe(request: EndRequest): void {
    if (this.#isClosed) return;
    this.#owed.add(request);
    this.#timer ??= this.#runtime.timers.after(RETRY_MS, () => {
      this.#timer = undefined;
      const owed = [...this.#owed];
      this.#owed.clear();
      for (const again of owed) {
        settle(
          () => this.#end(again),
          () => {},
          () => this.#owe(again),
        );
      }
    });
  }
}
