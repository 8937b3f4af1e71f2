import {
  type AnnounceAnswer,
  type AnnounceRequest,
  type Answered,
  type Backend,
  type CheckRequest,
  type ClaimAnswer,
  type ClaimRequest,
  type EndAnswer,
  type EndRequest,
  type ForgetRequest,
  type LockAnswer,
  type LockRequest,
  memory,
  type Notices,
  type ReadRunRequest,
  type ReadSessionRequest,
  type RecordRequest,
  type Snapshot,
  type StopAnswer,
  type StopEverywhereAnswer,
  type StopEverywhereRequest,
  type StopList,
  type StopRequest,
  type StoredRun,
  type UnlockAnswer,
  type UnlockRequest,
} from '../backend/index.js';
import type { Awaitable } from '../index.js';
import { FaultyCalls } from './faulty-calls.js';
import { FaultyNotices } from './faulty-notices.js';
import { FaultSource, type RandomFaults } from './random-faults.js';
import { tersely } from './terse.js';

/** A method of a backend that answers. */
export type BackendMethod = Exclude<keyof Backend, 'scope' | 'synchronous' | 'subscribe' | 'aliveUntil'>;

/** How a `FaultyBackend` is made. */
export interface FaultyBackendOptions {
  /** The backend that does the work; a new `memory()` by default. Several faulty ones over the same stand for several nodes. */
  readonly over?: Backend;
  /** How far a stop is said to reach; as far as that of `over` by default. */
  readonly scope?: Backend['scope'];
  /** True if it has a lease although `over` has none: one that runs until `suspend`. */
  readonly hasLease?: boolean;
  /** What goes wrong by itself; nothing by default. */
  readonly faults?: RandomFaults;
}

/**
 * A backend that answers late, fails, and loses answers and notices: on demand, or at random from a
 * seed. It answers with promises, over a backend that works.
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 * import { FaultyBackend } from 'runfence/testing';
 *
 * const backend = new FaultyBackend();
 * const control = createRunControl({ backend });
 * const work = control.run({ sessionKey: 'chat-1' }, async (run) => {
 *   await new Promise((resolve) => run.signal.addEventListener('abort', resolve));
 * });
 * backend.isDown = true;
 * const receipt = await control.abort({ sessionKey: 'chat-1' });
 * console.assert(receipt.result === 'aborted' && receipt.recorded === 'unreachable');
 * console.assert((await work).status === 'aborted');
 * backend.isDown = false;
 * ```
 */
export class FaultyBackend implements Backend {
  /** How far a stop is said to reach. */
  readonly scope: Backend['scope'];
  /** It answers with promises. */
  readonly synchronous = false;
  /** Every call since the beginning, by method, in order. A call that is sent twice is here once. */
  readonly calls: BackendMethod[] = [];
  /** While it is true, every call rejects and has no effect. */
  isDown = false;
  /** While it is true, no notice is heard. */
  isDeaf = false;
  /** While it is true, every notice is heard twice. */
  isEchoing = false;
  /** While it is true, answers and notices leave out every record and list that the port lets them leave out. */
  isTerse = false;
  /** Until when the lease runs: as `over` says, and never any more after `suspend`. Absent if neither `over` nor the options have a lease. */
  readonly aliveUntil?: () => number;
  readonly #over: Backend;
  readonly #faults: FaultSource | undefined;
  readonly #calls: FaultyCalls;
  readonly #notices: FaultyNotices;
  #isSuspended = false;

  /** @param options - `over`, `scope`, `hasLease`, `faults` */
  constructor({ over = memory(), scope = over.scope, hasLease = false, faults }: FaultyBackendOptions = {}) {
    this.#over = over;
    this.scope = scope;
    this.#faults = faults === undefined ? undefined : new FaultSource(faults);
    this.#calls = new FaultyCalls(this.#faults);
    this.#notices = new FaultyNotices(this, this.#faults);
    if (hasLease || over.aliveUntil !== undefined) {
      this.aliveUntil = () => (this.#isSuspended ? 0 : (over.aliveUntil?.() ?? Number.POSITIVE_INFINITY));
    }
  }

  /**
   * From now on calls of this method wait for `release`.
   *
   * @param when - `before`: they have no effect until then; `after`: they take effect at once, and answer then
   */
  hold(method: BackendMethod, when: 'before' | 'after' = 'before'): void {
    this.#calls.hold(method, when);
  }

  /** Lets the held calls of a method go on, its duplicates too, and later ones through. */
  release(method: BackendMethod): void {
    this.#calls.release(method);
  }

  /** How many calls are held now, duplicates among them. */
  get heldCalls(): number {
    return this.#calls.heldCount;
  }

  /**
   * Makes the next call of a method reject; said twice, the next two.
   *
   * @param when - `before`: it has no effect; `after`: it takes effect, and its caller cannot know
   * @param error - what it rejects with
   */
  failNext(
    method: BackendMethod,
    when: 'before' | 'after' = 'before',
    error: unknown = new Error('connection refused'),
  ): void {
    this.#calls.failNext(method, { when, error });
  }

  /**
   * Sends the next call of a method twice; said twice, the next two. The second request is held: it takes effect at
   * `release`, after the first one did, and no one hears its answer.
   */
  duplicateNext(method: BackendMethod): void {
    this.#calls.duplicateNext(method);
  }

  /** From now on notices wait for `releaseNotices`. */
  holdNotices(): void {
    this.#notices.hold();
  }

  /** Tells the held notices in their order, and lets later ones through. */
  releaseNotices(): void {
    this.#notices.release();
  }

  /** How many notices are held now. */
  get heldNotices(): number {
    return this.#notices.heldCount;
  }

  /** Tells its subscribers now that notices may have been missed. */
  tellGap(): void {
    this.#notices.tellAll((notices) => notices.gap());
  }

  /** Tells its subscribers now that their lease has ended. */
  tellLost(): void {
    this.#notices.tellAll((notices) => notices.lost());
  }

  /**
   * From now on `aliveUntil` lies in the past: the node is suspect until `resume`.
   *
   * @throws an error if it has no lease: give `hasLease`
   */
  suspend(): void {
    if (this.aliveUntil === undefined) throw new Error('There is no lease to end: make it with { hasLease: true }.');
    this.#isSuspended = true;
  }

  /** From now on `aliveUntil` is what `over` says, or lies ahead for ever. */
  resume(): void {
    this.#isSuspended = false;
  }

  /** Ends `isDown`, `isDeaf` and the random faults, for what is to come, and tells that notices may have been missed. */
  heal(): void {
    this.isDown = false;
    this.isDeaf = false;
    this.#faults?.heal();
    this.tellGap();
  }

  /** As the port says. */
  claim(request: ClaimRequest): Promise<ClaimAnswer> {
    return this.#ask('claim', request, () => this.#over.claim(request));
  }

  /** As the port says. */
  stop(request: StopRequest): Promise<StopAnswer> {
    return this.#ask('stop', request, () => this.#over.stop(request));
  }

  /** As the port says. */
  stopEverywhere(request: StopEverywhereRequest): Promise<StopEverywhereAnswer> {
    return this.#call('stopEverywhere', () => this.#over.stopEverywhere(request));
  }

  /** As the port says. */
  end(request: EndRequest): Promise<EndAnswer> {
    return this.#ask('end', request, () => this.#over.end(request));
  }

  /** As the port says. */
  announce(request: AnnounceRequest): Promise<AnnounceAnswer> {
    return this.#ask('announce', request, () => this.#over.announce(request));
  }

  /** As the port says. */
  lock(request: LockRequest): Promise<LockAnswer> {
    return this.#ask('lock', request, () => this.#over.lock(request));
  }

  /** As the port says. */
  unlock(request: UnlockRequest): Promise<UnlockAnswer> {
    return this.#ask('unlock', request, () => this.#over.unlock(request));
  }

  /** As the port says. */
  check(request: CheckRequest): Promise<boolean> {
    return this.#call('check', () => this.#over.check(request));
  }

  /** As the port says. */
  readSession(request: ReadSessionRequest): Promise<Snapshot> {
    return this.#call('readSession', () => this.#over.readSession(request));
  }

  /** As the port says. */
  readRun(request: ReadRunRequest): Promise<StoredRun | undefined> {
    return this.#call('readRun', () => this.#over.readRun(request));
  }

  /** As the port says. */
  readNode(nodeId: string): Promise<readonly Snapshot[]> {
    return this.#call('readNode', () => this.#over.readNode(nodeId));
  }

  /** As the port says. */
  readActive(): Promise<readonly StoredRun[]> {
    return this.#call('readActive', () => this.#over.readActive());
  }

  /** As the port says. */
  readStops(): Promise<StopList> {
    return this.#call('readStops', () => this.#over.readStops());
  }

  /** As the port says. */
  forget(request: ForgetRequest): Promise<void> {
    return this.#call('forget', () => this.#over.forget(request));
  }

  /** As the port says. */
  close(): Promise<void> {
    return this.#call('close', () => this.#over.close());
  }

  /** As the port says. Notices may be late, doubled or lost; one that is late is not heard after the remover was called. */
  subscribe(nodeId: string, notices: Notices): () => void {
    return this.#notices.subscribe(this.#over, nodeId, notices);
  }

  #ask<Answer extends Answered>(
    method: BackendMethod,
    request: RecordRequest,
    act: () => Awaitable<Answer>,
  ): Promise<Answer> {
    return this.#call(method, () => (this.isTerse ? tersely(this.#over, request, act) : act()));
  }

  #call<T>(method: BackendMethod, act: () => Awaitable<T>): Promise<T> {
    this.calls.push(method);
    if (this.isDown) return Promise.reject(new Error('connection refused'));
    return this.#calls.call(method, act);
  }
}
