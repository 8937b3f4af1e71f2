import { follow, isThenable } from '../internal/awaitable.js';
import { invalid } from '../internal/errors.js';
import { type AbortReason, isRunAbortedError } from '../stop/reason.js';
import type { FencedRun } from './fenced-run.js';

/**
 * What a fenced source does at the cut. `error`: it errors with the abort. `end`: it ends, which looks like a finished
 * answer. A function is called at the cut with the reason, once: what it returns is the last item, and then the source
 * ends. If the function throws or returns a promise, `onError` hears of it, and the source errors.
 */
export type AtAbort<T> = 'error' | 'end' | ((reason: AbortReason) => T);

/** What a source that is over still says to its reader. */
export type Ending<T> = 'error' | 'end' | { readonly lastItem: T };

export function checkAtAbort(value: unknown): AtAbort<unknown> {
  if (value === undefined) return 'error';
  if (value === 'error' || value === 'end' || typeof value === 'function') return value as AtAbort<unknown>;
  throw invalid(
    value === 'reject'
      ? "atAbort: 'reject' has a new name: use atAbort: 'error'."
      : "atAbort must be 'error', 'end', or a function that gives the last item.",
  );
}

/** Until it is known how the run ends, a source whose last word is a function has nothing to say but the error. */
export function beforeCut(atAbort: AtAbort<unknown>): 'error' | 'end' {
  return atAbort === 'end' ? 'end' : 'error';
}

/** Calls the user's function, which may do anything: whoever calls this has taken note of the cut before. */
export function endingOf<T>(run: FencedRun, atAbort: AtAbort<T>, error: unknown): Ending<T> {
  if (typeof atAbort !== 'function') return atAbort;
  // A normal end has no last word: whoever still reads then reads too late.
  if (!isRunAbortedError(error)) return 'error';
  try {
    const lastItem = atAbort(error.reason);
    if (!isThenable(lastItem)) return { lastItem };
    void follow(lastItem, undefined, () => {});
    run.onError(invalid('atAbort must give the last item itself: it gave a promise.'));
  } catch (failure) {
    run.onError(failure);
  }
  return 'error';
}
