import type { AbortReason } from '../abort/reason.js';
import type { Backend } from '../backend/port.js';
import type { Awaitable } from '../internal/awaitable.js';
import type { Runtime } from '../internal/runtime.js';
import type { SessionLock } from '../lock/session-lock.js';
import type { ManagedRun } from './managed-run.js';
import type { ChildOptions } from './options.js';
import type { RunResult } from './results.js';
import type { Run } from './run.js';

/** What a run needs of its registry. */
export interface RunHost {
  readonly runtime: Runtime;
  readonly backend: Backend;
  readonly locks: SessionLock;
  /** It is registered, in the tick of the call that asked for it. */
  reserved(run: ManagedRun): void;
  /** A cut has marked the run: it leaves the queue and its deadlines. Calls nobody. */
  marked(run: ManagedRun): void;
  /** The run has its outcome without a cut. */
  ended(run: ManagedRun): void;
  /** The run is over, and something of it is left for now. */
  unwinding(run: ManagedRun): void;
  /** Nothing of the run is left. */
  settled(run: ManagedRun): void;
  /** Whether the run stays known by its id once it has ended. */
  keeps(run: ManagedRun): boolean;
  cut(run: ManagedRun, reason: AbortReason): void;
  confirm(run: ManagedRun): Awaitable<boolean>;
  queuedRunIds(sessionKey: string): readonly string[];
  child<T>(parent: ManagedRun, options: ChildOptions, work: (run: Run) => Awaitable<T>): Promise<RunResult<T>>;
}
