import type { Principal } from '../index.js';
import { scopeOf } from './sessions.js';

/** How many of something each principal has here. */
export class Places {
  readonly #most: number;
  readonly #taken = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Takes a place.
   *
   * @returns gives it back; safe to repeat. `undefined` if the principal has as many as it may have
   */
  take(principal: Principal): (() => void) | undefined {
    const key = JSON.stringify(scopeOf(principal));
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= this.#most) return undefined;
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
