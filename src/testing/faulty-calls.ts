import type { BackendMethod } from './faulty-backend.js';
import type { FaultSource } from './random-faults.js';

/** Before a call takes effect, or after it took effect and before it is answered. */
export type When = 'before' | 'after';

interface HeldCall {
  readonly method: BackendMethod;
  readonly go: () => void;
}

interface Failure {
  readonly when: When;
  readonly error: unknown;
}

/** The calls of one `FaultyBackend`, on their way to the backend that does the work. */
export class FaultyCalls {
  readonly #faults: FaultSource | undefined;
  readonly #held: HeldCall[] = [];
  readonly #holding: Map<BackendMethod, When> = new Map();
  readonly #failures: Map<BackendMethod, Failure[]> = new Map();
  readonly #duplicates: Map<BackendMethod, number> = new Map();

  constructor(faults: FaultSource | undefined) {
    this.#faults = faults;
  }

  get heldCount(): number {
    return this.#held.length;
  }

  hold(method: BackendMethod, when: When): void {
    this.#holding.set(method, when);
  }

  release(method: BackendMethod): void {
    this.#holding.delete(method);
    for (const held of this.#held.filter((call) => call.method === method)) {
      this.#held.splice(this.#held.indexOf(held), 1);
      held.go();
    }
  }

  failNext(method: BackendMethod, failure: Failure): void {
    this.#failures.set(method, [...(this.#failures.get(method) ?? []), failure]);
  }

  duplicateNext(method: BackendMethod): void {
    this.#duplicates.set(method, (this.#duplicates.get(method) ?? 0) + 1);
  }

  call<T>(method: BackendMethod, act: () => T | PromiseLike<T>): Promise<T> {
    const failure = this.#failures.get(method)?.shift();
    if (failure?.when === 'before') return Promise.reject(failure.error);
    const answer = this.#answer(method, act);
    this.#duplicate(method, act, answer);
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

  /** The second one waits for `release`, comes after the first one, and is not answered. */
  #duplicate(method: BackendMethod, act: () => unknown, first: Promise<unknown>): void {
    const left = this.#duplicates.get(method) ?? 0;
    if (left === 0) return;
    this.#duplicates.set(method, left - 1);
    const again = async (): Promise<void> => {
      await first.catch(() => {});
      await act();
    };
    // There is no one to tell of its failure: its caller has the first answer.
    this.#held.push({ method, go: () => void again().catch(() => {}) });
  }
}
