import type { RunfenceError } from '../internal/errors.js';
import type { Controllers } from '../internal/signals.js';
import type { Timer, Timers } from '../internal/timers.js';
import type { AbortReason } from '../stop/reason.js';
import { LazySignal } from './lazy-signal.js';

/** The critical sections of one grant that have not ended, and how long they may go on once it is taken away. */
export class Sections {
  /** They outlived the write grace. */
  isCut = false;
  readonly #overdue: LazySignal;
  /** Rejects the caller of each. */
  readonly #rejects: Set<(error: RunfenceError) => void> = new Set();
  #grace: Timer | undefined;

  constructor(controllers: Controllers) {
    this.#overdue = new LazySignal(controllers);
  }

  get isEmpty(): boolean {
    return this.#rejects.size === 0;
  }

  /** Aborted for sections that outlive the write grace, and only for them. */
  get overdue(): AbortSignal {
    return this.#overdue.signal;
  }

  begin(reject: (error: RunfenceError) => void): void {
    this.#rejects.add(reject);
  }

  end(reject: (error: RunfenceError) => void): void {
    this.#rejects.delete(reject);
  }

  /** From the first call on. */
  limit(timers: Timers, graceMs: number, onOver: () => void): void {
    this.#grace ??= timers.after(graceMs, onOver);
  }

  unlimit(timers: Timers): void {
    timers.cancel(this.#grace);
  }

  cut(reason: AbortReason, error: RunfenceError): void {
    this.isCut = true;
    try {
      this.#overdue.abort(reason);
    } finally {
      for (const reject of this.#rejects) reject(error);
    }
  }
}
