import type { NodeContext } from '../node-context.js';
import type { EpilogueState, SavedState } from '../stop/states.js';
import type { RunReport } from './receipt.js';

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
  return epilogue === 'pending' ? undefined : SAVED_BY[epilogue];
}

/** Made once: every end of a run asks. */
const SAVED_BY: Readonly<Record<Exclude<EpilogueState, 'pending'>, SavedState>> = Object.freeze({
  done: Object.freeze({ state: 'saved' }),
  failed: Object.freeze({ state: 'failed' }),
  'timed-out': Object.freeze({ state: 'timed-out' }),
  skipped: Object.freeze({ state: 'skipped' }),
  none: Object.freeze({ state: 'none' }),
});
