import type { Backend } from 'runfence';

type Telling = 'claim' | 'stop' | 'stopEverywhere' | 'end' | 'announce' | 'lock' | 'unlock';

/**
 * Notices wait until the operation that they tell of is written down: what another node does on hearing them comes
 * after it.
 */
export class Untold {
  readonly #waiting: (() => void)[] = [];
  #depth = 0;

  tell(notice: () => void): void {
    if (this.#depth > 0) this.#waiting.push(notice);
    else notice();
  }

  /** The operations that tell others of themselves. */
  behind({ claim, stop, stopEverywhere, end, announce, lock, unlock }: Backend): Pick<Backend, Telling> {
    return {
      claim: this.#after(claim),
      stop: this.#after(stop),
      stopEverywhere: this.#after(stopEverywhere),
      end: this.#after(end),
      announce: this.#after(announce),
      lock: this.#after(lock),
      unlock: this.#after(unlock),
    };
  }

  #after<A extends readonly unknown[], R>(operation: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      this.#depth += 1;
      try {
        return operation(...args);
      } finally {
        this.#depth -= 1;
        while (this.#depth === 0 && this.#waiting.length > 0) this.#waiting.shift()?.();
      }
    };
  }
}
