import type { EntryIndex } from '../abort/entry-index.js';
import { type Awaitable, chain, settle } from '../internal/awaitable.js';
import { isLost } from './duplicates.js';
import { ManagedRun } from './managed-run.js';
import type { Outcome } from './outcome.js';
import type { BeginResult, Duplicate } from './results.js';
import { viewOf } from './view.js';

/** How a request is repeated whose caller is answered at the end. */
export interface Repeat {
  readonly entries: EntryIndex;
  /** The run that it is asked for in: it would wait for itself. */
  readonly caller: ManagedRun | undefined;
  readonly admit: () => Awaitable<BeginResult>;
}

/**
 * The connection breaks, and the client is back before anybody has noticed: the first run goes on, and is lost a moment
 * later. A retry whose caller has time waits for that, and runs in its place.
 */
export function admitInTheEnd(repeat: Repeat): Awaitable<BeginResult> {
  return chain(repeat.admit(), (result) => (result.status === 'duplicate' ? afterFirst(repeat, result) : result));
}

function afterFirst(repeat: Repeat, duplicate: Duplicate): Awaitable<BeginResult> {
  const first = repeat.entries.get(duplicate.run.runId);
  if (first instanceof ManagedRun) {
    if (first.hasOutcome || isInside(first, repeat.caller)) return duplicate;
    // In the tick of its cut: a stop that comes after the loss finds the retry there.
    return new Promise((resolve, reject) => {
      first.onEnded((outcome) => {
        if (isOfLost(outcome)) settle(() => admitInTheEnd(repeat), resolve, reject);
        else resolve({ ...duplicate, run: viewOf(first) });
      });
    });
  }
  // Of another process: only one that runs may still be lost.
  if (duplicate.run.status !== 'running') return duplicate;
  return duplicate.outcome.then((outcome) => (isOfLost(outcome) ? admitInTheEnd(repeat) : duplicate));
}

function isOfLost(outcome: Outcome): boolean {
  return outcome.status === 'aborted' && isLost(outcome.reason);
}

function isInside(first: ManagedRun, caller: ManagedRun | undefined): boolean {
  let outer = caller;
  while (outer !== undefined && outer !== first) outer = outer.parent ?? outer.caller;
  return outer !== undefined;
}
