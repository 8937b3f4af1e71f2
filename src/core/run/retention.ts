import type { Timer } from '../internal/timers.js';
import type { NodeContext } from '../node-context.js';
import type { ManagedRun } from './managed-run.js';

/** For how long, and how many, ended runs stay known by id. */
export interface RetentionOptions {
  /** In ms; 5 minutes by default, 0 keeps none. */
  readonly ttlMs?: number;
  /** How many at most, oldest forgotten first; 10 000 by default. Live runs are not counted, and never forgotten. */
  readonly max?: number;
}

/**
 * Ended runs in the order of their end, which is the order of their expiry. It reuses the links
 * that the session needed while the run lived.
 */
export class Retention {
  readonly #runtime: NodeContext;
  readonly #ttlMs: number;
  readonly #max: number;
  readonly #forget: (run: ManagedRun) => void;
  #first: ManagedRun | undefined;
  #last: ManagedRun | undefined;
  #size = 0;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(runtime: NodeContext, options: RetentionOptions, forget: (run: ManagedRun) => void) {
    this.#runtime = runtime;
    this.#ttlMs = options.ttlMs ?? 300_000;
    this.#max = options.max ?? 10_000;
    this.#forget = forget;
  }

  get keeps(): boolean {
    return this.#ttlMs > 0 && this.#max > 0 && !this.#isClosed;
  }

  add(run: ManagedRun): void {
    if (this.#last === undefined) this.#first = run;
    else this.#last.nextInSession = run;
    this.#last = run;
    this.#size += 1;
    if (this.#size > this.#max) this.#evictFirst();
    if (this.#timer === undefined) this.#arm();
  }

  /** Forgets all; what ends later is not kept. */
  close(): void {
    this.#isClosed = true;
    while (this.#first !== undefined) this.#evictFirst();
    this.#runtime.timers.cancel(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    const first = this.#first;
    if (first === undefined) {
      this.#timer = undefined;
      return;
    }
    const { timers, clock } = this.#runtime;
    const left = first.settledAt + this.#ttlMs - clock.monotonic();
    this.#timer = timers.after(left, () => this.#evictExpired());
  }

  #evictExpired(): void {
    this.#timer = undefined;
    const now = this.#runtime.clock.monotonic();
    while (this.#first !== undefined && this.#first.settledAt + this.#ttlMs <= now) {
      this.#evictFirst();
    }
    this.#arm();
  }

  #evictFirst(): void {
    const first = this.#first as ManagedRun;
    this.#first = first.nextInSession as ManagedRun | undefined;
    if (this.#first === undefined) this.#last = undefined;
    first.nextInSession = undefined;
    this.#size -= 1;
    this.#forget(first);
  }
}
