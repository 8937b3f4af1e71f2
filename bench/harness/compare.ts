import type { Sample } from './figure.js';

/** One of the things that are compared. */
export interface Side {
  readonly name: string;
  /**
   * Does so many operations. A number that it gives is the time in ns that they took: for batches
   * that wait, or whose preparation must not count.
   */
  readonly batch: (operations: number) => unknown;
  /** At least so many operations a batch. */
  readonly least?: number;
  /** At most so many. */
  readonly most?: number;
}

export interface Effort {
  readonly repetitions: number;
  /** How long a batch should take. */
  readonly batchMs: number;
  /** Called after each round. */
  readonly onRound: (round: number) => void;
}

/**
 * Measures all sides in turn, in this process: a slow moment of the machine hits every side alike, and
 * none is always the one that runs after the collector has been busy.
 */
export async function compare(sides: readonly Side[], { repetitions, batchMs, onRound }: Effort): Promise<Sample[]> {
  const sizes: number[] = [];
  for (const side of sides) sizes.push(await calibrate(side, batchMs));
  const samples: { name: string; values: number[] }[] = sides.map(({ name }) => ({ name, values: [] }));
  for (let round = 0; round < repetitions; round++) {
    for (let turn = 0; turn < sides.length; turn++) {
      const at = (round + turn) % sides.length;
      const size = sizes[at] as number;
      samples[at]?.values.push((await time(sides[at] as Side, size)) / size);
    }
    onRound(round + 1);
  }
  return samples;
}

/** So many batches pass before the first that counts: code of some size is optimised late, and in several steps. */
const WARM_UP = 20;

/** The batch size that takes about as long as wanted. Warms the code up on the way. */
async function calibrate(side: Side, batchMs: number): Promise<number> {
  const { least = 16, most = Number.MAX_SAFE_INTEGER } = side;
  let size = least;
  for (;;) {
    const ms = (await time(side, size)) / 1e6;
    if (ms >= batchMs / 2 || size >= most) {
      for (let batch = 1; batch < WARM_UP; batch++) await time(side, size);
      const warm = (await time(side, size)) / 1e6;
      return Math.min(most, Math.max(least, Math.round((size * batchMs) / Math.max(warm, batchMs / 8))));
    }
    size = Math.min(most, size * 2);
  }
}

async function time({ batch }: Side, operations: number): Promise<number> {
  const start = cpuTime();
  const answer = batch(operations);
  const own = answer instanceof Promise ? await answer : answer;
  return typeof own === 'number' ? own : cpuTime() - start;
}

/**
 * What this process has worked, in ns: its thread and the collector's. A batch never waits, so on an idle
 * machine it is the time that passes, and on a busy one what others take does not count.
 */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e3;
}
