import { Random } from '../../src/testing/random.js';

/** Seeded choices: the same seed makes the same ones, though real time may still order what they lead to otherwise. */
export class Choices extends Random {
  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] as T;
  }

  /** One of them, if there is any. */
  oneOf<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }

  /** A key, as often as its number says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const keys = Object.keys(weights) as K[];
    let left = this.next() * keys.reduce((sum, key) => sum + weights[key], 0);
    const drawn = keys.find((key) => {
      left -= weights[key];
      return left < 0;
    });
    return drawn ?? (keys[0] as K);
  }
}
