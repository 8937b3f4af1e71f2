import type { EndRequest, RunRef } from '../backend/port.js';
import { type Awaitable, isThenable } from '../internal/awaitable.js';
import type { Operations } from '../internal/operations.js';
import type { Runtime } from '../internal/runtime.js';
import type { Timer } from '../internal/timers.js';

const RETRY_MS = 1_000;

/** Tells the backend of ends, each until it has taken it: a run that it has as live stands in the way of other nodes. */
export class Ends {
  readonly #runtime: Runtime;
  readonly #operations: Operations;
  readonly #sending: Set<EndRequest> = new Set();
  readonly #owed: Set<EndRequest> = new Set();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(runtime: Runtime, operations: Operations) {
    this.#runtime = runtime;
    this.#operations = operations;
  }

  send(request: EndRequest): void {
    this.#end(request, true);
  }

  /** Whether this run has an end that the backend has not taken yet; it is sent at once if it was to be sent later. */
  isTelling({ runId, generation }: RunRef): boolean {
    const isOfRun = (request: EndRequest): boolean => request.runId === runId && request.generation === generation;
    const isSending = [...this.#sending].some(isOfRun);
    const isOwed = [...this.#owed].some(isOfRun);
    if (isOwed) this.hurry();
    return isSending || isOwed;
  }

  /** What the backend has not taken yet, by name. */
  get unsent(): string[] {
    return [...this.#sending, ...this.#owed].map(({ runId }) => `the end of run "${runId}"`);
  }

  /** Sends at once what would be sent again later. */
  hurry(): void {
    this.#runtime.timers.cancel(this.#timer);
    this.#timer = undefined;
    const owed = [...this.#owed];
    this.#owed.clear();
    for (const again of owed) this.#end(again, false);
  }

  /** The backend takes nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.#owed.clear();
    this.#runtime.timers.cancel(this.#timer);
  }

  /** @param isFirst - a failure is reported once, however often the end is sent */
  #end(request: EndRequest, isFirst: boolean): void {
    let ended: Awaitable<void>;
    try {
      ended = this.#operations.sendRequest(request, this.#operations.end);
    } catch (error) {
      this.#owe(request, isFirst, error);
      return;
    }
    if (!isThenable(ended)) return;
    this.#sending.add(request);
    ended.then(
      () => this.#sending.delete(request),
      (error) => {
        this.#sending.delete(request);
        this.#owe(request, isFirst, error);
      },
    );
  }

  #owe(request: EndRequest, isFirst: boolean, error: unknown): void {
    if (isFirst) this.#runtime.onError(error, request);
    if (this.#isClosed) return;
    this.#owed.add(request);
    this.#timer ??= this.#runtime.timers.after(RETRY_MS, () => this.hurry());
  }
}
