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
export { spawn } from './spawn.js';
