import type { EntryIndex } from '../abort/entry-index.js';
import { type Awaitable, chain, settle } from '../internal/awaitable.js';
import { isAborted, reasonOf } from '../internal/signals.js';
import type { Timer } from '../internal/timers.js';
import type { NodeContext } from '../node-context.js';
import { type AbortReason, saysReason } from '../stop/reason.js';
import { isLost } from './duplicates.js';
import { ManagedRun } from './managed-run.js';
import type { RunSpec } from './options.js';
import type { Outcome } from './outcome.js';
import type { BeginResult, Duplicate } from './results.js';
import { viewOf } from './view.js';
import { busyRule } from './when-busy.js';

/** How a request is repeated whose caller is answered at the end. */
export interface Repeat {
  readonly runtime: NodeContext;
  readonly entries: EntryIndex;
  readonly spec: RunSpec;
  /** The run that it is asked for in: it would wait for itself. */
  readonly caller: ManagedRun | undefined;
  readonly admit: (spec: RunSpec) => Awaitable<BeginResult>;
}

/**
 * The connection breaks, and the client is back before anybody has noticed: the first run goes on, and is lost a moment
 * later. A retry whose caller has time waits for that, and runs in its place.
 */
export function admitInTheEnd(repeat: Repeat): Awaitable<BeginResult> {
  return chain(repeat.admit(repeat.spec), (result) =>
    result.status === 'duplicate' ? afterFirst(repeat, result) : result,
  );
}

function afterFirst(repeat: Repeat, duplicate: Duplicate): Awaitable<BeginResult> {
  const first = repeat.entries.get(duplicate.run.runId);
  if (first instanceof ManagedRun) {
    if (first.hasOutcome || isInside(first, repeat.caller)) return duplicate;
    // In the tick of its cut: a stop that comes after the loss finds the retry there.
    return inPlaceOf(repeat, duplicate, (ended) => {
      const listener = (outcome: Outcome): void => ended(outcome, { ...duplicate, run: viewOf(first) });
      first.onEnded(listener);
      return () => first.offEnded(listener);
    });
  }
  // Of another process: only one that runs may still be lost.
  if (duplicate.run.status !== 'running') return duplicate;
  return inPlaceOf(repeat, duplicate, (ended) => {
    void duplicate.outcome.then((outcome) => ended(outcome, duplicate));
    return () => {};
  });
}

/**
 * Waits for the end of the first run, as a queued run waits: the retry's own signal and its time reach it.
 *
 * @param whenEnded - hears of the end of the first run; gives what stops that
 */
function inPlaceOf(
  repeat: Repeat,
  { run: { runId } }: Duplicate,
  whenEnded: (ended: (outcome: Outcome, duplicate: Duplicate) => void) => () => void,
): Promise<BeginResult> {
  const { runtime, spec } = repeat;
  const { signal, queueTimeoutMs } = spec;
  return new Promise((resolve, reject) => {
    const retry = {};
    let timer: Timer | undefined;
    let isWaiting = true;
    const leave = (): boolean => {
      const wasWaiting = isWaiting;
      isWaiting = false;
      runtime.timers.cancel(timer);
      if (signal !== undefined) runtime.signals.unlink(signal, retry);
      return wasWaiting;
    };
    const stopHearing = whenEnded((outcome, duplicate) => {
      if (!leave()) return;
      if (isOfLost(outcome)) settle(() => admitInTheEnd(behindNewer(repeat, runId)), resolve, reject);
      else resolve(duplicate);
    });
    const giveUp = (reason: AbortReason): void => {
      if (!leave()) return;
      stopHearing();
      resolve({ status: 'aborted', runId, reason, detail: undefined });
    };
    try {
      if (queueTimeoutMs !== undefined && queueTimeoutMs !== Number.POSITIVE_INFINITY) {
        timer = runtime.timers.after(queueTimeoutMs, () => giveUp('timeout'));
      }
      if (signal === undefined) return;
      if (isAborted(signal)) giveUp(saysReason(reasonOf(signal), 'upstream'));
      else runtime.signals.link(signal, retry, (_retries, reason) => giveUp(saysReason(reason, 'upstream')));
    } catch (error) {
      // Of the clock, or a signal that takes no listener.
      leave();
      stopHearing();
      reject(error);
    }
  });
}

/** An older message takes nothing from a newer one that has come since: then it waits its turn. */
function behindNewer(repeat: Repeat, runId: string): Repeat {
  const { entries, spec } = repeat;
  const order = entries.get(runId)?.order ?? Number.POSITIVE_INFINITY;
  const hasNewer = entries.inSession(spec.sessionKey).some((entry) => entry.isLive && entry.order > order);
  return hasNewer && busyRule(spec).takesOver ? { ...repeat, spec: { ...spec, whenBusy: 'enqueue' } } : repeat;
}

function isOfLost(outcome: Outcome): boolean {
  return outcome.status === 'aborted' && isLost(outcome.reason);
}

function isInside(first: ManagedRun, caller: ManagedRun | undefined): boolean {
  let outer = caller;
  while (outer !== undefined && outer !== first) outer = outer.parent ?? outer.caller;
  return outer !== undefined;
}
