import type { BackendClient } from '../../backend/client.js';
import { type Awaitable, isThenable } from '../../internal/awaitable.js';
import type { LedgerHost } from '../host.js';
import type { EverywhereStop, LedgerRun } from '../ledger.js';
import type { StoredStops } from '../stored-stops.js';
import { causeOf } from './listed-stops.js';

/** An intent on its way to the backend. */
interface Pending {
  readonly runId: string;
  /** Settles with its answer or at its bound, and never rejects. */
  readonly answered: Promise<unknown>;
}

/**
 * Intents by the id of a run alone. Which record they belong to is not known, so they are in the list of the whole
 * backend, and a claim of the id is told of them.
 */
export class Intents {
  readonly #client: BackendClient;
  readonly #host: LedgerHost;
  readonly #stored: StoredStops;
  readonly #nextAttempt: () => number;
  readonly #forget: (number: number) => void;
  readonly #pending = new Set<Pending>();
  #isClosed = false;

  constructor(options: {
    readonly client: BackendClient;
    readonly host: LedgerHost;
    readonly stored: StoredStops;
    readonly nextAttempt: () => number;
    readonly forget: (number: number) => void;
  }) {
    this.#client = options.client;
    this.#host = options.host;
    this.#stored = options.stored;
    this.#nextAttempt = options.nextAttempt;
    this.#forget = options.forget;
  }

  keep(stop: EverywhereStop): Awaitable<unknown> {
    const request = { ...stop, attempt: this.#nextAttempt(), intent: true, number: undefined };
    const asked = this.#client.stopEverywhere(request, ({ number }) => this.#kept(stop, number));
    const { runId } = stop.selector;
    if (!isThenable(asked) || runId === undefined) return asked;
    const pending: Pending = { runId, answered: Promise.resolve(asked).then(NOTED, NOTED) };
    this.#pending.add(pending);
    void pending.answered.then(() => this.#pending.delete(pending));
    return asked;
  }

  /** What a claim of this id waits for: one that overtook the intent would not be told of it. */
  pendingFor(runId: string): Promise<unknown> | undefined {
    // Nearly always.
    if (this.#pending.size === 0) return undefined;
    for (const pending of this.#pending) if (pending.runId === runId) return pending.answered;
    return undefined;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Also of an answer that comes after its bound: nobody else would forget it. */
  #kept(stop: EverywhereStop, number: number): void {
    if (this.#isClosed) {
      this.#forget(number);
      return;
    }
    this.#stored.keep({ sessionKey: undefined, number }, stop.requester, 'intent');
    const run = this.#host.find(stop.selector.runId ?? '');
    // It was begun here since: the backend tells this node of what others record, and not of this.
    if (run !== undefined && isLive(run) && this.#host.mayStop(stop.requester, run))
      this.#host.cut([run], causeOf(stop));
  }
}

function isLive({ stage }: LedgerRun): boolean {
  return stage === 'queued' || stage === 'running' || stage === 'ending';
}

const NOTED = (): void => {};
