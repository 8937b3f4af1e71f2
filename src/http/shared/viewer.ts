import type { AgentEvent } from '../../agent/index.js';
import type { StreamItem } from '../../streams/index.js';

type Items = AsyncIterable<StreamItem<AgentEvent>>;

/**
 * A client that follows a run, from the tick in which it is made: the runner counts it. It leaves when its request is
 * aborted, which some runtimes say by the request's signal, some by cancelling the body, and some by both.
 */
export class Viewer {
  readonly runId: string;
  readonly #items: AsyncIterator<StreamItem<AgentEvent>>;
  /** Not only its signal, which in Node does not keep it: a request that is collected does not abort its signal any more. */
  readonly #request: Request;
  readonly #onAbort = (): void => this.leave();
  #hasLeft = false;

  constructor(runId: string, items: Items, request: Request) {
    this.runId = runId;
    this.#request = request;
    this.#items = items[Symbol.asyncIterator]();
    const { signal } = request;
    if (signal.aborted) this.leave();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The client is not there any more, or has all that it gets. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** `undefined`: it has left, or the run is over. */
  async next(): Promise<StreamItem<AgentEvent> | undefined> {
    const { done, value } = await this.#items.next();
    return done === true ? undefined : value;
  }

  /** Safe to repeat; whoever waits for an item is woken. */
  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    void this.#items.return?.();
  }
}
