import { GatewayClientError } from './error.js';

/** A request that has no answer yet. */
export interface Pending {
  readonly id: string;
  readonly method: string;
  /** What it asks, and what it asks if it was sent before. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly again: (() => Readonly<Record<string, unknown>> | undefined) | undefined;
  wasSent: boolean;
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The requests of a client that are not answered, in their order. */
export class Requests {
  readonly #pending = new Map<string, Pending>();
  readonly #prefix = crypto.randomUUID().slice(0, 8);
  #last = 0;

  nextId(): string {
    this.#last += 1;
    return `${this.#prefix}-${this.#last}`;
  }

  add(request: Pending): void {
    this.#pending.set(request.id, request);
  }

  /** @returns whether there was such a request */
  answer(id: unknown, settle: (request: Pending) => void): boolean {
    const request = typeof id === 'string' ? this.#pending.get(id) : undefined;
    if (request === undefined) return false;
    this.#pending.delete(request.id);
    settle(request);
    return true;
  }

  /** Those that are to be sent on a new connection. What may have been done, and must not be done twice, fails. */
  toSend(): readonly Pending[] {
    for (const request of [...this.#pending.values()]) {
      if (!request.wasSent || request.again !== undefined) continue;
      this.#pending.delete(request.id);
      request.reject(new GatewayClientError('connection_lost', 'The connection was lost: it may have been done.'));
    }
    return [...this.#pending.values()];
  }

  fail(error: GatewayClientError): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }
}
