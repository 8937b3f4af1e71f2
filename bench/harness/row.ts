import type { Side } from './compare.js';
import type { Figure, Sample } from './figure.js';

/** One row of the table, measured in a process of its own: the shapes of one do not spoil the code of another. */
export interface Row {
  readonly title: string;
  readonly measure: (bench: Bench) => Promise<readonly Figure[]>;
}

/** What a row measures with. */
export interface Bench {
  /** A look whether everything still runs: nothing that it prints is a measurement. */
  readonly isQuick: boolean;
  /** The samples, in the order of the sides. */
  compare<const S extends readonly Side[]>(sides: S, repetitions?: number): Promise<{ [K in keyof S]: Sample }>;
  /** A count, or a small one for a quick look. */
  count(full: number): number;
  /** How many repetitions; at least 15 but for a quick look. */
  repetitions(full?: number): number;
  note(progress: string): void;
}

/** Throws if what was measured is not what it should have been. */
export function check(isRight: boolean, what: string): asserts isRight {
  if (!isRight) throw new Error(`The benchmark measured something else: ${what}.`);
}

/** Where results go, so that V8 does not drop the work that nobody reads. */
export const sink: { value: unknown } = { value: undefined };
