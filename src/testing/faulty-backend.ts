import {
  type Backend,
  type ClaimAnswer,
  type ClaimRequest,
  type EndRequest,
  type LockAnswer,
  type LockHolder,
  type LockRequest,
  memory,
  type Notices,
  type RunRef,
  type StopAnswer,
  type StopRequest,
  type StoredRun,
  type UnlockRequest,
} from '../index.js';
import { FaultSource, type RandomFaults } from './random-faults.js';

/** A method of a backend that answers. */
export type BackendMethod = Exclude<keyof Backend, 'scope' | 'synchronous' | 'subscribe'>;

/** How a `FaultyBackend` is made. */
export interface FaultyBackendOptions {
  /** The backend that does the work; a new `memory()` by default. Several faulty ones over the same stand for several nodes. */
  readonly over?: Backend;
  /** How far a stop is said to reach; as far as that of `over` by default. */
  readonly scope?: Backend['scope'];
  /** What goes wrong by itself; nothing by default. */
  readonly faults?: RandomFaults;
}

/** Before a call takes effect, or after it took effect and before it is answered. */
type When = 'before' | 'after';

interface HeldCall {
  readonly method: BackendMethod;
  readonly go: () => void;
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
  /** Every call since the beginning, by method, in order. */
  readonly calls: BackendMethod[] = [];
  /** While it is true, every call rejects and has no effect. */
  isDown = false;
  /** While it is true, no notice is heard. */
  isDeaf = false;
  readonly #over: Backend;
  readonly #faults: FaultSource | undefined;
  readonly #subscribers: Set<Notices> = new Set();
  readonly #held: HeldCall[] = [];
  readonly #holding: Map<BackendMethod, When> = new Map();
  readonly #failures: Map<BackendMethod, { readonly when: When; readonly error: unknown }[]> = new Map();

  /** @param options - `over`, `scope`, `faults` */
  constructor({ over = memory(), scope = over.scope, faults }: FaultyBackendOptions = {}) {
    this.#over = over;
    this.scope = scope;
    this.#faults = faults === undefined ? undefined : new FaultSource(faults);
  }

  /**
   * From now on calls of this method wait for `release`.
   *
   * @param when - `before`: they have no effect until then; `after`: they take effect at once, and answer then
   */
  hold(method: BackendMethod, when: 'before' | 'after' = 'before'): void {
    this.#holding.set(method, when);
  }

  /** Lets the held calls of a method go on, and later ones through. */
  release(method: BackendMethod): void {
    this.#holding.delete(method);
    for (const held of this.#held.filter((call) => call.method === method)) {
      this.#held.splice(this.#held.indexOf(held), 1);
      held.go();
    }
  }

  /** How many calls are held now. */
  get heldCalls(): number {
    return this.#held.length;
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
    const failures = this.#failures.get(method) ?? [];
    this.#failures.set(method, [...failures, { when, error }]);
  }

  /** Ends `isDown`, `isDeaf` and the random faults, for what is to come, and tells that notices may have been missed. */
  heal(): void {
    this.isDown = false;
    this.isDeaf = false;
    this.#faults?.heal();
    for (const notices of [...this.#subscribers]) notices.gap();
  }

  /** As the port says. */
  claim(request: ClaimRequest): Promise<ClaimAnswer> {
    return this.#call('claim', () => this.#over.claim(request));
  }

  /** As the port says. */
  stop(request: StopRequest): Promise<StopAnswer> {
    return this.#call('stop', () => this.#over.stop(request));
  }

  /** As the port says. */
  end(request: EndRequest): Promise<void> {
    return this.#call('end', () => this.#over.end(request));
  }

  /** As the port says. */
  check(request: RunRef): Promise<boolean> {
    return this.#call('check', () => this.#over.check(request));
  }

  /** As the port says. */
  lock(request: LockRequest): Promise<LockAnswer> {
    return this.#call('lock', () => this.#over.lock(request));
  }

  /** As the port says. */
  unlock(request: UnlockRequest): Promise<boolean> {
    return this.#call('unlock', () => this.#over.unlock(request));
  }

  /** As the port says. */
  holder(sessionKey: string): Promise<LockHolder | undefined> {
    return this.#call('holder', () => this.#over.holder(sessionKey));
  }

  /** As the port says. */
  read(query: Parameters<Backend['read']>[0]): Promise<readonly StoredRun[]> {
    return this.#call('read', () => this.#over.read(query));
  }

  /** As the port says. */
  forget(what: Parameters<Backend['forget']>[0]): Promise<void> {
    return this.#call('forget', () => this.#over.forget(what));
  }

  /** As the port says. */
  close(): Promise<void> {
    return this.#call('close', () => this.#over.close());
  }

  /** As the port says. Notices may be late or lost; one that is late is not heard after the remover was called. */
  subscribe(nodeId: string, notices: Notices): () => void {
    this.#subscribers.add(notices);
    const hear = (tell: () => void): void => {
      if (!this.isDeaf && this.#subscribers.has(notices)) tell();
    };
    const tell = (notice: () => void): void => {
      if (this.#faults === undefined) hear(notice);
      else this.#faults.notice(() => hear(notice));
    };
    const remove = this.#over.subscribe(nodeId, {
      stopped: (notice) => tell(() => notices.stopped(notice)),
      recorded: (notice) => tell(() => notices.recorded(notice)),
      changed: (notice) => tell(() => notices.changed(notice)),
      lockLost: (notice) => tell(() => notices.lockLost(notice)),
      gap: () => tell(() => notices.gap()),
    });
    return () => {
      this.#subscribers.delete(notices);
      remove();
    };
  }

  #call<T>(method: BackendMethod, act: () => T | PromiseLike<T>): Promise<T> {
    this.calls.push(method);
    if (this.isDown) return Promise.reject(new Error('connection refused'));
    const failure = this.#failures.get(method)?.shift();
    if (failure?.when === 'before') return Promise.reject(failure.error);
    const answer = this.#answer(method, act);
    return failure === undefined ? answer : answer.then(() => Promise.reject(failure.error));
  }

  async #answer<T>(method: BackendMethod, act: () => T | PromiseLike<T>): Promise<T> {
    const holding = this.#holding.get(method);
    if (holding === undefined) {
      if (this.#faults !== undefined) return this.#faults.call(act);
      await Promise.resolve();
      return act();
    }
    const early = holding === 'after' ? { value: act() } : undefined;
    await new Promise<void>((go) => this.#held.push({ method, go }));
    return early === undefined ? act() : early.value;
  }
}
