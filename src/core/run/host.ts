import type { Stop } from '../abort/stop.js';
import type { Awaitable } from '../internal/awaitable.js';
import type { Ledger } from '../ledger/ledger.js';
import type { SessionLock } from '../lock/session-lock.js';
import type { NodeContext } from '../node-context.js';
import type { AbortReason } from '../stop/reason.js';
import type { ManagedRun } from './managed-run.js';
import type { Nesting } from './nesting.js';
import type { ChildOptions } from './options.js';
import type { RunResult } from './results.js';
import type { Run } from './run.js';

/** What a run needs of its registry. */
export interface RunHost {
  readonly runtime: NodeContext;
  readonly ledger: Ledger;
  readonly locks: SessionLock;
  readonly nesting: Nesting;
  /** It is registered, in the tick of the call that asked for it. */
  reserved(run: ManagedRun): void;
  /** A cut has marked the run: it leaves the queue. Calls nobody, not even the clock. */
  marked(run: ManagedRun): void;
  /** Its signal has fired: its deadlines are taken back. */
  fired(run: ManagedRun): void;
  /** The run has its own result: the ledger decides whether it stands. */
  ending(run: ManagedRun): void;
  /** The run's own result stands, and was told. */
  ended(run: ManagedRun): void;
  /** The run is over, and something of it is left for now. */
  unwinding(run: ManagedRun): void;
  /** What it had to save is over, and something else of it is left. */
  saved(run: ManagedRun): void;
  /** Nothing of the run is left. */
  settled(run: ManagedRun): void;
  /** Whether the run stays known by its id once it has ended. */
  keeps(run: ManagedRun): boolean;
  cut(run: ManagedRun, reason: AbortReason): void;
  /** Cuts a run that the record has as stopped or lost. */
  cutRecorded(run: ManagedRun, why: Pick<Stop, 'reason' | 'supersededBy' | 'detail'>): void;
  confirm(run: ManagedRun): Awaitable<boolean>;
  /** A queued run has ended. */
  queueChanged(sessionKey: string): void;
  child<T>(parent: ManagedRun, options: ChildOptions, work: (run: Run) => Awaitable<T>): Promise<RunResult<T>>;
}
