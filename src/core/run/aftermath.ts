import type { Moment } from '../abort/observed.js';
import { tellAll } from '../internal/events.js';
import type { Timer } from '../internal/timers.js';
import type { Epilogue } from '../lock/epilogue.js';
import type { EpilogueState, LockState } from '../stop/states.js';
import type { ManagedRun } from './managed-run.js';

/** What is noted of a run once it is over; made for the runs that need it. */
export class Aftermath {
  lock: LockState = 'none';
  epilogue: EpilogueState = 'none';
  fencedEffects = 0;
  /** Gated calls that the cut has overtaken. */
  unknown: string[] | undefined = undefined;
  /** What the work threw after the cut. */
  error: unknown = undefined;
  /** The epilogue that is reserved. */
  due: Epilogue | undefined = undefined;
  unread: Timer | undefined = undefined;
  overdue: Timer | undefined = undefined;
  /** When it is reported to the other nodes. */
  reporting: Timer | undefined = undefined;
  readonly #listeners: Readonly<Record<Moment, Set<() => void>>> = { saved: new Set(), quiet: new Set() };

  /** A lock or an epilogue that is not over yet. */
  get isPending(): boolean {
    return this.lock === 'pending' || this.epilogue === 'pending';
  }

  on(moment: Moment, listener: () => void): void {
    this.#listeners[moment].add(listener);
  }

  off(moment: Moment, listener: () => void): void {
    this.#listeners[moment].delete(listener);
  }

  tell(moment: Moment, run: ManagedRun): void {
    if (moment === 'quiet') this.due = undefined;
    const waiting = this.#listeners[moment];
    if (waiting.size === 0) return;
    const listeners = [...waiting];
    waiting.clear();
    tellAll(listeners, undefined, run);
  }
}
