import type { EpilogueState, LockState } from '../abort/receipt.js';
import { tellAll } from '../internal/events.js';
import type { Timer } from '../internal/timers.js';
import type { Epilogue } from '../lock/epilogue.js';
import type { ManagedRun } from './managed-run.js';

/** What is noted of a run once it is over; made for the runs that need it. */
export class Aftermath {
  lock: LockState = 'none';
  epilogue: EpilogueState = 'none';
  fencedEffects = 0;
  /** What the work threw after the cut. */
  error: unknown = undefined;
  /** The epilogue that is reserved. */
  due: Epilogue | undefined = undefined;
  overdue: Timer | undefined = undefined;
  readonly quietListeners: Set<() => void> = new Set();

  /** A lock or an epilogue that is not over yet. */
  get isPending(): boolean {
    return this.lock === 'pending' || this.epilogue === 'pending';
  }

  tellQuiet(run: ManagedRun): void {
    this.due = undefined;
    const listeners = [...this.quietListeners];
    this.quietListeners.clear();
    tellAll(listeners, undefined, run);
  }
}
