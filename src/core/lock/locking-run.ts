import type { Awaitable } from '../internal/awaitable.js';
import type { RunfenceError } from '../internal/errors.js';
import type { Ledger, LedgerRun } from '../ledger/ledger.js';
import type { EpilogueState, LockState } from '../stop/states.js';
import type { HeldGrant } from './grant.js';

/** Something that waits and must be woken when the run is cut or ends. A link of a list that hangs on the run. */
export interface Watcher {
  nextWatcher: Watcher | undefined;
  previousWatcher: Watcher | undefined;
  /** Nothing of the host's goes on behind it: whoever awaits it is told by it. */
  readonly isAlone?: boolean;
  /** Called once, already unlinked; it must not call anybody's code before it has taken note. */
  closed(error: RunfenceError): void;
}

/** Something that is not over yet, by the name that a receipt gives it. */
export interface Leftover {
  readonly name: string;
  /** A critical section or an epilogue: what it needs must not be closed under it. */
  readonly writes: boolean;
}

/** What the locks need of a run. */
export interface LockingRun extends LedgerRun {
  readonly ledger: Ledger;
  readonly grants: Set<HeldGrant>;
  readonly current: boolean;
  /** It is not sure that its node's lease runs: it is not current until that is known. */
  readonly isSuspended: boolean;
  /** Whether the record still has the run as current; cuts it if not. */
  confirm(): Awaitable<boolean>;
  /** What a refused caller gets: the abort, or `RUN_ENDED`. */
  closedError(): RunfenceError;
  watch(watcher: Watcher): void;
  unwatch(watcher: Watcher): void;
  beginWork(name: string, writes?: boolean): Leftover;
  endWork(leftover: Leftover): void;
  lockEnded(state: LockState): void;
  epilogueEnded(state: EpilogueState, error?: unknown): void;
  /** Its lock was taken away: it is cut. */
  loseLock(): void;
}

/** Cut or ended, and not only suspended: whoever waits for something does not wait in vain. */
export function isOver(run: LockingRun): boolean {
  return !run.current && !run.isSuspended;
}
