/**
 * Processes that die with their run: the whole tree, by proof.
 *
 * @module runfence/process
 */

export type {
  KillOptions,
  KillReport,
  ProcessHandle,
  SignalName,
  Survivor,
  Termination,
  TerminationCause,
} from './handle.js';
export type { SpawnOptions } from './options.js';
export { endOrphan, type OrphanedRun, type OrphanReport } from './orphan.js';
export { spawn } from './spawn.js';
