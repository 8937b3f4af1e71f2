import { checkBackend } from '../backend/check-backend.js';
import { BackendClient } from '../backend/client.js';
import type { Backend } from '../backend/port.js';
import type { LockHolder } from '../backend/records.js';
import { chain } from '../internal/awaitable.js';
import type { Clock } from '../internal/clock.js';
import { closed, invalid } from '../internal/errors.js';
import type { OnError } from '../internal/reporter.js';
import { readSessionKey, type SessionKey } from '../internal/session-key.js';
import { Sessions } from '../internal/sessions.js';
import { isAbortSignal } from '../internal/signals.js';
import { checkLimit, checkObject, keysOf, waitMs } from '../internal/validate.js';
import type { LedgerHost } from '../ledger/host.js';
import type { Ledger } from '../ledger/ledger.js';
import { PrivateLedger } from '../ledger/private-ledger.js';
import { SharedLedger } from '../ledger/shared/shared-ledger.js';
import { NodeContext } from '../node-context.js';
import type { Run } from '../run/run.js';
import { saysReason } from '../stop/reason.js';
import type { LockContext } from './context.js';
import type { Grant, HeldGrant } from './grant.js';
import { isOver, type LockingRun } from './locking-run.js';
import { LockQueue } from './queue.js';
import type { LockView } from './queue-state.js';
import { Waiter } from './waiter.js';

/** How a `SessionLock` is made. */
export interface SessionLockOptions {
  /** Where the lock lives; in this process by default. */
  readonly backend?: Backend;
  /** Where time comes from; the platform's clocks by default. */
  readonly clock?: Clock;
  /** How long `acquire` waits if it does not say, in ms; 30 000 by default. */
  readonly lockTimeoutMs?: number;
  /** How long a critical section may go on after an abort, in ms; 5 000 by default. */
  readonly writeGraceMs?: number;
  /** How long an answer of the backend may take, in ms; 2 000 by default. */
  readonly backendTimeoutMs?: number;
  /** Receives errors that have no caller, such as a release that the backend did not take. */
  readonly onError?: OnError;
}

/** How a lock is acquired. */
export interface AcquireOptions {
  /** The lock is taken away when this run is cut or ends, or when this signal is aborted. */
  readonly holder?: Run | AbortSignal | undefined;
  /** Stops waiting; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait, in ms. 0, a negative number and NaN do not wait, `Infinity` waits for ever. 30 000 by default. */
  readonly timeoutMs?: number | undefined;
}

const OPTIONS: ReadonlySet<string> = keysOf<SessionLockOptions>({
  backend: true,
  clock: true,
  lockTimeoutMs: true,
  writeGraceMs: true,
  backendTimeoutMs: true,
  onError: true,
});
const ACQUIRE: ReadonlySet<string> = keysOf<AcquireOptions>({ holder: true, signal: true, timeoutMs: true });

/**
 * One lock a session: first come, first served, abortable while waiting, with a number for every
 * grant, and free for the next at the abort of its holder, not at its end.
 *
 * @example
 * ```ts
 * import { SessionLock } from 'runfence';
 *
 * const locks = new SessionLock();
 * const holder = new AbortController();
 * const grant = await locks.acquire('chat-1', { holder: holder.signal });
 * const next = locks.acquire('chat-1');
 * holder.abort();
 * console.assert(grant.lost.aborted && (await next).token > grant.token);
 * (await next).release();
 * ```
 */
export class SessionLock {
  readonly #runtime: NodeContext;
  readonly #ledger: Ledger;
  readonly #queues: Sessions<LockQueue> = new Sessions();
  readonly #context: LockContext;
  readonly #lockTimeoutMs: number;
  #isRefusing = false;
  #isClosed = false;

  /**
   * @param options - `backend`, `clock`, `lockTimeoutMs`, `writeGraceMs`, `backendTimeoutMs`, `onError`
   * @throws `INVALID_OPTIONS` for an unknown name or a wrong type
   */
  constructor(options?: SessionLockOptions);
  /** @internal */
  constructor(options: SessionLockOptions, shared: { readonly runtime: NodeContext; readonly ledger: Ledger });
  constructor(options: SessionLockOptions = {}, shared?: { readonly runtime: NodeContext; readonly ledger: Ledger }) {
    checkObject('SessionLock options', options, OPTIONS);
    if (options.backend !== undefined) checkBackend(options.backend);
    checkLimit('lockTimeoutMs', options.lockTimeoutMs);
    checkLimit('writeGraceMs', options.writeGraceMs);
    checkLimit('backendTimeoutMs', options.backendTimeoutMs);
    this.#runtime = shared?.runtime ?? new NodeContext(options);
    this.#ledger = shared?.ledger ?? this.#ownLedger(options.backend, options.backendTimeoutMs ?? 2_000);
    this.#lockTimeoutMs = options.lockTimeoutMs ?? 30_000;
    const isClosed = (): boolean => this.#isClosed;
    this.#context = {
      get isClosed() {
        return isClosed();
      },
      runtime: this.#runtime,
      ledger: this.#ledger,
      writeGraceMs: options.writeGraceMs ?? 5_000,
      idle: (queue) => {
        this.#queues.rest(queue);
        this.#ledger.idle(queue.key);
      },
    };
  }

  /**
   * Waits for a session's lock.
   *
   * @param key - which session: its key, or the parts of its key
   * @param options - `holder`, `signal`, `timeoutMs`
   * @returns the grant. Release it, unless its holder is cut
   * @throws `LOCK_TIMEOUT` with the `holder` who has it
   * @throws `RUN_ABORTED` or `RUN_ENDED` if the holding run is over, or the reason of an aborted signal
   * @throws `INVALID_OPTIONS` for a blank key, or a run of another backend
   * @throws `BACKEND_UNAVAILABLE`, `CLOSED`
   */
  acquire(key: SessionKey, options: AcquireOptions = {}): Promise<Grant> {
    try {
      const waiter = this.#waiterFor(key, options);
      waiter.queue.join(waiter);
      return waiter.promise();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Who holds a session's lock, asked of the backend. By the time of the answer it may be somebody else.
   *
   * @param key - which session: its key, or the parts of its key
   * @returns the holder; `undefined` if the lock is free
   * @throws `INVALID_OPTIONS`, `BACKEND_UNAVAILABLE`
   */
  async holder(key: SessionKey): Promise<LockHolder | undefined> {
    const sessionKey = readSessionKey('sessionKey', key);
    return chain(this.#ledger.elsewhere.session(sessionKey), (record) =>
      record === undefined ? this.#queues.get(sessionKey)?.holder : record.holder,
    );
  }

  /** As `acquire` for a run of this control, without a promise where the backend answers at once. @internal */
  acquireFor(
    run: LockingRun,
    timeoutMs: number | undefined,
    onGranted: (grant: HeldGrant) => void,
    onRefused: (error: unknown) => void,
  ): void {
    const bound = timeoutMs ?? this.#lockTimeoutMs;
    const waiter = this.#wait(run.sessionKey, run, bound);
    waiter.tell(onGranted, onRefused);
    waiter.queue.join(waiter);
  }

  /** @internal */
  queue(sessionKey: string): LockQueue {
    return this.#queues.get(sessionKey) ?? this.#queues.add(new LockQueue(sessionKey, this.#context));
  }

  /** What the ledger may know of a session's lock. @internal */
  locks(sessionKey: string): LockQueue | undefined {
    return this.#queues.get(sessionKey);
  }

  /** The record has changed: waiters ask again. @internal */
  wake(sessionKey: string): void {
    this.#queues.get(sessionKey)?.pump();
  }

  /** @internal */
  isUsing(sessionKey: string): boolean {
    return this.#queues.get(sessionKey)?.isIdle === false;
  }

  /** Refuses who waits, and who comes. What is held is still given back. @internal */
  refuseAll(): void {
    this.#isRefusing = true;
    for (const queue of this.#queues.busy) queue.refuseAll(closed());
  }

  /** The backend takes nothing any more. @internal */
  close(): void {
    this.#isClosed = true;
    for (const queue of this.#queues.busy) queue.close();
  }

  /** @internal */
  get size(): number {
    return this.#queues.busy.length;
  }

  /** @internal */
  get views(): LockView[] {
    return this.#queues.busy.map(({ view }) => view);
  }

  /** The sessions whose lock is held, waited for, or on its way. @internal */
  get sessionKeys(): string[] {
    return this.#queues.busy.map(({ key }) => key);
  }

  /** Of a lock that is used alone: no run is here, and other nodes' releases are found by asking again. */
  #ownLedger(backend: Backend | undefined, timeoutMs: number): Ledger {
    const context = this.#runtime;
    if (backend === undefined) return new PrivateLedger(context);
    const host: LedgerHost = {
      runs: () => [],
      candidates: () => [],
      find: () => undefined,
      locks: (sessionKey) => this.locks(sessionKey),
      sessionKeys: () => this.sessionKeys,
      cut: () => {},
      mayStop: () => false,
      wake: (sessionKey) => this.wake(sessionKey),
      isUsing: (sessionKey) => this.isUsing(sessionKey),
      orphaned: () => {},
      suspend: () => {},
      resume: () => {},
    };
    return new SharedLedger(context, new BackendClient(backend, context.nodeId, context.timers, timeoutMs), host);
  }

  #waiterFor(key: SessionKey, options: AcquireOptions): Waiter {
    const sessionKey = readSessionKey('sessionKey', key);
    checkObject('acquire options', options, ACQUIRE);
    const { holder, signal } = options;
    const timeoutMs = waitMs('timeoutMs', options.timeoutMs, this.#lockTimeoutMs);
    if (signal !== undefined && !isAbortSignal(signal)) {
      throw invalid('signal must be an AbortSignal.');
    }
    const run = this.#holdingRun(holder);
    const holdingSignal = run === undefined ? (holder as AbortSignal | undefined) : undefined;
    if (signal?.aborted === true) throw signal.reason;
    if (holdingSignal?.aborted === true) throw holdingSignal.reason;
    const waiter = this.#wait(sessionKey, run, timeoutMs);
    if (signal !== undefined || holdingSignal !== undefined) this.#linkWaiter(waiter, signal, holdingSignal);
    return waiter;
  }

  #wait(sessionKey: string, run: LockingRun | undefined, timeoutMs: number): Waiter {
    if (this.#isRefusing) throw closed();
    if (run !== undefined && isOver(run)) throw run.closedError();
    return new Waiter(this.queue(sessionKey), run, timeoutMs);
  }

  #linkWaiter(waiter: Waiter, signal: AbortSignal | undefined, holdingSignal: AbortSignal | undefined): void {
    waiter.onLeave = (grant) => {
      const { signals } = this.#runtime;
      if (signal !== undefined) signals.unlink(signal, waiter);
      if (holdingSignal === undefined) return;
      signals.unlink(holdingSignal, waiter);
      if (grant !== undefined) this.#linkHolder(holdingSignal, grant);
    };
    try {
      const { signals } = this.#runtime;
      if (signal !== undefined) signals.link(signal, waiter, refuse);
      if (holdingSignal !== undefined) signals.link(holdingSignal, waiter, refuse);
    } catch (error) {
      // One of the signals takes no listener: its abort would not reach the waiter.
      waiter.refuse(error);
      throw error;
    }
  }

  #linkHolder(signal: AbortSignal, grant: HeldGrant): void {
    try {
      if (signal.aborted) {
        grant.revoke(saysReason(signal.reason), false);
        return;
      }
      this.#runtime.signals.link(signal, grant, revoke);
      grant.onLeave = () => this.#runtime.signals.unlink(signal, grant);
    } catch (error) {
      // A signal that takes no second listener cannot hold the lock; the queue goes on.
      this.#runtime.onError(error, grant);
      grant.revoke('lock-lost', false);
    }
  }

  #holdingRun(holder: unknown): LockingRun | undefined {
    if (holder === undefined || isAbortSignal(holder)) return undefined;
    const run = holder as LockingRun;
    if (typeof run?.watch !== 'function' || !this.#ledger.sharesRecordsWith(run.ledger)) {
      throw invalid('holder must be an AbortSignal, or a run that uses the same backend as the lock.');
    }
    return run;
  }
}

function refuse(waiters: Waiter[], reason: unknown): void {
  for (const waiter of waiters) waiter.refuse(reason);
}

function revoke(grants: HeldGrant[], reason: unknown): void {
  for (const grant of grants) grant.revoke(saysReason(reason), false);
}
