import type { Run, RunOptions, RunRegistry } from 'runfence';
import { check } from './row.js';

/** As many different sessions as a busy server has at once. A power of two, for a cheap index. */
export const SESSIONS = 1024;
export const keys: readonly string[] = Array.from({ length: SESSIONS }, (_, i) => `session-${i}`);

export function keyAt(i: number): string {
  return keys[i & (SESSIONS - 1)] as string;
}

/** Nothing of an ended run is kept. */
export const NO_RETENTION = { ttlMs: 0 } as const;

export function begin(registry: RunRegistry, options: RunOptions): Run {
  const begun = registry.beginSync(options);
  check(begun.status === 'started', 'a run that starts');
  return begun.run;
}
