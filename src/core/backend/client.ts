import { type Awaitable, chain, isThenable } from '../internal/awaitable.js';
import type { Timers } from '../internal/timers.js';
import type { Backend, Notices } from './port.js';
import type { Snapshot, StopList, StoredRun } from './records.js';
import type {
  AnnounceAnswer,
  AnnounceRequest,
  CheckRequest,
  ClaimAnswer,
  ClaimRequest,
  EndAnswer,
  EndRequest,
  ForgetRequest,
  LockAnswer,
  LockRequest,
  StopAnswer,
  StopEverywhereAnswer,
  StopEverywhereRequest,
  StopRequest,
  UnlockAnswer,
  UnlockRequest,
} from './requests.js';
import { SessionLines } from './session-lines.js';

/** What a node says of itself in every request is filled in here. */
type Sent<Request> = Omit<Request, 'nodeId'>;

/**
 * How a node talks to its backend. Claims, ends, announcements, locks and unlocks of one session are sent one at a time
 * and in order; a stop goes before all that is not sent yet; checks and reads are held up by nothing. Every call is
 * bounded by `timeoutMs`. A backend that answers at once is called at once.
 */
export class BackendClient {
  readonly nodeId: string;
  readonly scope: Backend['scope'];
  readonly isSynchronous: boolean;
  readonly timeoutMs: number;
  readonly #backend: Backend;
  readonly #lines: SessionLines;

  constructor(backend: Backend, nodeId: string, timers: Timers, timeoutMs: number) {
    this.#backend = backend;
    this.nodeId = nodeId;
    this.scope = backend.scope;
    this.isSynchronous = backend.synchronous;
    this.timeoutMs = timeoutMs;
    this.#lines = new SessionLines(timers, timeoutMs, backend.synchronous);
  }

  /** By the clock of `aliveUntil`. */
  get isAlive(): boolean {
    return this.#backend.aliveUntil === undefined || performance.now() < this.#backend.aliveUntil();
  }

  /** For how many ms the lease surely runs on; `Infinity` without leases. */
  get aliveMs(): number {
    return this.#backend.aliveUntil === undefined
      ? Number.POSITIVE_INFINITY
      : this.#backend.aliveUntil() - performance.now();
  }

  get hasLease(): boolean {
    return this.#backend.aliveUntil !== undefined;
  }

  isOfSameBackend(other: BackendClient): boolean {
    return this.#backend === other.#backend;
  }

  /**
   * @param request - asked for when its turn comes; `undefined`: it is not sent any more
   * @param install - gets the answer in its tick, before anything else of the session is sent, and also if it comes late
   */
  claim<R>(
    sessionKey: string,
    request: () => Sent<ClaimRequest> | undefined,
    install: (answer: ClaimAnswer) => R,
  ): Awaitable<R | undefined> {
    return this.#lines.send(sessionKey, () => {
      const asked = request();
      if (asked === undefined) return undefined;
      return chain<ClaimAnswer, R>(this.#backend.claim({ ...asked, nodeId: this.nodeId }), install);
    });
  }

  stop<R>(request: Sent<StopRequest>, install: (answer: StopAnswer) => R): Awaitable<R> {
    return this.#lines.sendFirst(request.sessionKey, () =>
      chain(this.#backend.stop({ ...request, nodeId: this.nodeId }), install),
    );
  }

  end<R>(request: Sent<EndRequest>, install: (answer: EndAnswer) => R): Awaitable<R> {
    return this.#lines.send(request.sessionKey, () =>
      chain(this.#backend.end({ ...request, nodeId: this.nodeId }), install),
    );
  }

  announce<R>(request: Sent<AnnounceRequest>, install: (answer: AnnounceAnswer) => R): Awaitable<R> {
    return this.#lines.send(request.sessionKey, () =>
      chain(this.#backend.announce({ ...request, nodeId: this.nodeId }), install),
    );
  }

  lock<R>(request: Sent<LockRequest>, install: (answer: LockAnswer) => R): Awaitable<R> {
    return this.#lines.send(request.sessionKey, () =>
      chain(this.#backend.lock({ ...request, nodeId: this.nodeId }), install),
    );
  }

  unlock<R>(request: Sent<UnlockRequest>, install: (answer: UnlockAnswer) => R): Awaitable<R> {
    return this.#lines.send(request.sessionKey, () =>
      chain(this.#backend.unlock({ ...request, nodeId: this.nodeId }), install),
    );
  }

  /** Behind the ends of its session: before them, a run that is to be forgotten is a live one. */
  forget(sessionKey: string, request: ForgetRequest): Awaitable<void> {
    return this.#lines.send(sessionKey, () => this.#backend.forget(request));
  }

  forgetListed(listed: number): Awaitable<void> {
    return this.#lines.ask(() => this.#backend.forget({ listed }));
  }

  stopEverywhere<R>(request: Sent<StopEverywhereRequest>, install: (answer: StopEverywhereAnswer) => R): Awaitable<R> {
    return this.#lines.ask(() => chain(this.#backend.stopEverywhere({ ...request, nodeId: this.nodeId }), install));
  }

  check(request: CheckRequest): Awaitable<boolean> {
    return this.#lines.ask(() => this.#backend.check(request));
  }

  readSession(sessionKey: string, watch: boolean): Awaitable<Snapshot> {
    return this.#lines.ask(() => this.#backend.readSession({ sessionKey, nodeId: this.nodeId, watch }));
  }

  readRun(runId: string, sessionKey: string | undefined, watch: boolean): Awaitable<StoredRun | undefined> {
    return this.#lines.ask(() => this.#backend.readRun({ runId, sessionKey, nodeId: this.nodeId, watch }));
  }

  readNode(): Awaitable<readonly Snapshot[]> {
    return this.#lines.ask(() => this.#backend.readNode(this.nodeId));
  }

  readActive(): Awaitable<readonly StoredRun[]> {
    return this.#lines.ask(() => this.#backend.readActive());
  }

  readStops(): Awaitable<StopList> {
    return this.#lines.ask(() => this.#backend.readStops());
  }

  subscribe(notices: Notices): () => void {
    return this.#backend.subscribe(this.nodeId, notices);
  }

  close(): Awaitable<void> {
    return this.#lines.ask(() => this.#backend.close());
  }

  /** Requests whose answer is still waited for. */
  get inFlight(): number {
    return this.#lines.inFlight;
  }

  /** Whether something of a session is on its way, or waits to be sent. */
  isSending(sessionKey: string): boolean {
    return this.#lines.has(sessionKey);
  }

  /** Until all that is to be sent now is answered, or its bound has passed. */
  sent(): Promise<void> {
    return this.#lines.sent();
  }

  /** An answer, or `fallback` once the bound has passed: whatever it is made of, and whatever it waits behind. */
  within<T>(answer: Awaitable<T>, fallback: T): Awaitable<T> {
    if (!isThenable(answer)) return answer;
    return this.#lines.bound(answer as PromiseLike<T>).catch(() => fallback);
  }
}
