import { Random } from '../../../../src/testing/random.js';

/** Draws from what there is. */
export class Choices extends Random {
  /** One of them; `undefined` if there is none. */
  one<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)];
  }

  /** One of them; there is one. */
  of<T>(first: T, ...more: T[]): T {
    return this.one([first, ...more]) ?? first;
  }

  /** Each with this chance. */
  some<T>(from: readonly T[], part: number): T[] {
    return from.filter(() => this.chance(part));
  }
}
