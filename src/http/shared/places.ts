import type { Principal } from '../../index.js';
import { HttpError } from './http-error.js';
import { scopeOf } from './sessions.js';

/** How many runs each principal has here that are not over. */
export class Places {
  readonly #most: number;
  readonly #taken = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Takes a place.
   *
   * @returns gives it back; safe to repeat
   * @throws `too_many_runs`
   */
  take(principal: Principal): () => void {
    const key = JSON.stringify(scopeOf(principal));
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= this.#most) {
      throw new HttpError(
        429,
        'too_many_runs',
        'You have as many runs as you may have: stop one, or wait for its end.',
      );
    }
    this.#taken.set(key, taken + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      const left = (this.#taken.get(key) ?? 1) - 1;
      if (left > 0) this.#taken.set(key, left);
      else this.#taken.delete(key);
    };
  }

  /** How many principals have places. */
  get size(): number {
    return this.#taken.size;
  }
}
