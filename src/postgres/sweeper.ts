import type { Hint } from './answers.js';
import type { Calls } from './calls.js';
import type { Lease } from './lease.js';

/** At most so many dead processes at once. */
const MOST = 20;

/** Once a lease it buries those who are gone for three of theirs, and are in nobody's way, and drops what is too old. */
export class Sweeper {
  readonly #calls: Calls;
  readonly #lease: Lease;
  readonly #leaseMs: number;
  readonly #swept: (answer: { readonly hints: readonly Hint[]; readonly orphans?: boolean }) => void;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(
    calls: Calls,
    lease: Lease,
    leaseMs: number,
    swept: (answer: { readonly hints: readonly Hint[]; readonly orphans?: boolean }) => void,
  ) {
    this.#calls = calls;
    this.#lease = lease;
    this.#leaseMs = leaseMs;
    this.#swept = swept;
  }

  /** Not by all the processes at once that start together. */
  start(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#sweeping = this.sweep()
          .catch(() => {})
          .then(() => {
            if (this.#lease.isOpen) this.start();
          });
      },
      this.#leaseMs * (0.75 + 0.5 * Math.random()),
    ).unref();
  }

  async sweep(): Promise<void> {
    if (!this.#lease.isOpen) return;
    for (let count = 0; count < MOST; count++) {
      const { beat, lifetime } = this.#lease;
      const answer = await this.#calls.call<{ hints: Hint[]; orphans?: boolean; more?: boolean }>('sweep', [
        beat,
        lifetime,
      ]);
      if (answer !== undefined) this.#swept(answer);
      if (answer?.more !== true) break;
    }
    await this.#calls.call('tidy', []);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#sweeping;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
