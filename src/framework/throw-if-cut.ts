import type { Run } from '../index.js';

/**
 * Throws the abort of a run that is over. `run.throwIfStale()` throws as well while a node is not sure of its lease: gate and
 * fence wait for that instead, and a turn that would go on need not fail.
 */
export function throwIfCut(run: Run): void {
  if (run.status !== 'running') run.throwIfStale();
}
