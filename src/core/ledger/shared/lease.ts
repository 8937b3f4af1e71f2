import type { BackendClient } from '../../backend/client.js';
import { Deferred } from '../../internal/awaitable.js';
import type { Timer } from '../../internal/timers.js';
import type { NodeContext } from '../../node-context.js';
import type { LedgerHost } from '../host.js';
import type { LedgerRun } from '../ledger.js';

/** A node whose lease may have ended looks so often, in ms, whether it was renewed. */
const SUSPECT_MS = 25;
/** One that was renewed, and could not read the records, tries again after so many ms. */
const UNREAD_MS = 1_000;

/**
 * Whether this node may act. Between its deadline and the backend's word it is suspect: nothing may start, and nothing is
 * stopped, for it takes somebody who wants it to take something away. A node that was renewed reads the records before
 * it opens: what was stopped in the meantime does not go on.
 */
export class Lease {
  readonly #context: NodeContext;
  readonly #client: BackendClient;
  readonly #host: LedgerHost;
  /** Runs whose end was not answered, until their outcome is published all the same. */
  readonly #undecided = new Map<LedgerRun, Timer>();
  readonly #readAll: () => Promise<boolean>;
  #suspicion: Deferred<void> | undefined = undefined;
  #isReading = false;
  /** The records could not be read the last time. */
  #isUnread = false;
  #timer: Timer | undefined = undefined;
  #isClosed = false;

  /** @param readAll - false: not all records could be read */
  constructor(context: NodeContext, client: BackendClient, host: LedgerHost, readAll: () => Promise<boolean>) {
    this.#readAll = readAll;
    this.#context = context;
    this.#client = client;
    this.#host = host;
  }

  /** Once it is closed nobody looks any more: what is still asked is answered by the record. */
  get isOpen(): boolean {
    return this.#isClosed || (this.#suspicion === undefined && this.#client.isAlive);
  }

  /** It looks at the deadline of the lease, and nothing waits for that. */
  get isWatching(): boolean {
    return this.#timer !== undefined && this.#suspicion === undefined;
  }

  whenOpen(): Promise<void> {
    if (this.isOpen) return Promise.resolve();
    this.#look();
    return this.#suspicion?.promise ?? Promise.resolve();
  }

  /** A run was granted: from now on the deadline matters. It may have passed by now: the run begins when it is open again. */
  watch(): void {
    if (!this.#client.hasLease || this.#isClosed) return;
    if (!this.isOpen) this.#look();
    else if (this.#timer === undefined) this.#arm();
  }

  /** The lease is gone, and its runs were cut: whoever waits goes on, and is refused. */
  lost(): void {
    this.#open();
  }

  /**
   * The end of a run was not answered, or the question how it ended. It is sent again until the lease ends, or, without
   * leases, for one more bound.
   */
  outcomeUnknown(run: LedgerRun): void {
    if (run.isDecided || this.#undecided.has(run)) return;
    const { hasLease, timeoutMs } = this.#client;
    const wait = (ms: number): void => {
      const timer = this.#context.timers.after(ms, () => {
        if (hasLease && this.#client.isAlive && !run.isDecided) wait(Math.max(1, this.#client.aliveMs));
        else this.#decide(run);
      });
      this.#undecided.set(run, timer);
    };
    if (this.#isClosed) this.#decide(run);
    else wait(hasLease ? Math.max(0, this.#client.aliveMs) : timeoutMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#context.timers.cancel(this.#timer);
    this.#timer = undefined;
    this.#suspicion?.resolve(undefined);
    for (const run of [...this.#undecided.keys()]) this.#decide(run);
  }

  /** Nobody says any more how it ended. */
  #decide(run: LedgerRun): void {
    this.#context.timers.cancel(this.#undecided.get(run));
    this.#undecided.delete(run);
    if (run.isDecided) return;
    if (this.#client.hasLease || run.stage !== 'ending') run.undecidable();
    else run.stands();
  }

  #arm(): void {
    const suspectMs = this.#isUnread ? UNREAD_MS : SUSPECT_MS;
    const ms = this.#suspicion === undefined ? Math.max(0, this.#client.aliveMs) : suspectMs;
    this.#timer = this.#context.timers.after(ms, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  #look(): void {
    if (this.#client.isAlive) {
      if (this.#suspicion !== undefined) void this.#read();
    } else {
      if (this.#suspicion === undefined) {
        this.#suspicion = new Deferred();
        // The one for the deadline may be far away still.
        this.#context.timers.cancel(this.#timer);
        this.#timer = undefined;
      }
      // Those that have begun since the last look, too.
      this.#host.suspend();
    }
    const isWanted = this.#suspicion !== undefined || !isEmpty(this.#host.sessionKeys());
    if (isWanted && this.#timer === undefined && !this.#isClosed) this.#arm();
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      this.#isUnread = !(await this.#readAll());
    } catch (error) {
      this.#isUnread = true;
      this.#context.onError(error);
    }
    this.#isReading = false;
    // It may have ended again while it read.
    if (!this.#isUnread && this.#client.isAlive) this.#open();
  }

  #open(): void {
    const suspicion = this.#suspicion;
    if (suspicion === undefined) return;
    this.#suspicion = undefined;
    this.#isUnread = false;
    this.#host.resume();
    suspicion.resolve(undefined);
  }
}

function isEmpty(keys: Iterable<unknown>): boolean {
  for (const _ of keys) return false;
  return true;
}
