import type { Run } from 'runfence';
import { expect } from 'vitest';

/** A write as the store saw it. */
export interface Write {
  readonly by: string;
  readonly token: number;
}

/** Writes under the run's epilogue. */
export function announce(run: Run, writes: Write[], by = 'epilogue'): void {
  run.epilogue(({ token }) => writes.push({ by, token }));
}

export async function write(run: Run, writes: Write[], by: string): Promise<void> {
  await run.commit(({ token }) => writes.push({ by, token }));
}

/** In this order, each with a token of its own above the one before. */
export function expectOrder(writes: readonly Write[], order: readonly string[]): void {
  expect(writes.map(({ by }) => by)).toEqual(order);
  const tokens = writes.map(({ token }) => token);
  expect(new Set(tokens).size).toBe(tokens.length);
  expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
}
