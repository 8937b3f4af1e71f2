import type { NodeContext } from '../node-context.js';
import type { EpilogueState } from '../stop/states.js';
import type { RunReport } from './receipt.js';

/**
 * What became of what an aborted run had to save. `saved`: what there was. `failed`: its save threw. `timed-out`: it
 * took longer than `epilogueMs`, or than the wait. `skipped`: a later run had the lock before it. `none`: nothing was
 * announced.
 */
export interface SavedState {
  /** What became of it. */
  readonly state: 'saved' | 'failed' | 'timed-out' | 'skipped' | 'none';
  /** For `saved`: what was saved last; `undefined` for another node's run, and for an epilogue that says nothing of it. */
  readonly how?: 'whole' | 'cut' | 'failed';
}

/** A moment in a stopped run's unwinding. It is saved before it is quiet. */
export type Moment = 'saved' | 'quiet';

/** What a receipt can tell of a run of any node. */
export interface Observed {
  readonly id: string;
  /** How long a caller waits if it does not say. */
  readonly graceMs: number;
  readonly isQuiet: boolean;
  /** `undefined`: it is still being saved. */
  readonly saved: SavedState | undefined;
  report(): RunReport;
  /** The listener is called once, when the moment has come. */
  on(moment: Moment, listener: () => void): void;
  off(moment: Moment, listener: () => void): void;
}

/** Waits until all have reached a moment, at most so long. */
export function whenAll(
  { timers }: NodeContext,
  moment: Moment,
  observed: readonly Observed[],
  timeoutMs: number,
): Promise<void> {
  const isThere = (one: Observed): boolean => (moment === 'quiet' ? one.isQuiet : one.saved !== undefined);
  const pending = new Set(observed.filter((one) => !isThere(one)));
  if (pending.size === 0 || timeoutMs === 0) return Promise.resolve();
  return new Promise((resolve) => {
    timers.hold();
    const listeners = new Map<Observed, () => void>();
    const finish = (): void => {
      timers.unhold();
      timers.cancel(timer);
      for (const [one, listener] of listeners) one.off(moment, listener);
      resolve();
    };
    const timer = timers.after(timeoutMs, finish);
    for (const one of pending) {
      const listener = (): void => {
        if (pending.delete(one) && pending.size === 0) finish();
      };
      listeners.set(one, listener);
      one.on(moment, listener);
    }
  });
}

export function longestGrace(observed: readonly Observed[]): number {
  return observed.reduce((longest, one) => Math.max(longest, one.graceMs), 0);
}

/** `undefined` while it is pending. */
export function savedBy(epilogue: EpilogueState): SavedState | undefined {
  if (epilogue === 'pending') return undefined;
  return { state: epilogue === 'done' ? 'saved' : epilogue };
}
