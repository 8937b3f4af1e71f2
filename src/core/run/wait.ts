import type { EntryIndex } from '../abort/entry-index.js';
import type { StoredRun } from '../backend/records.js';
import { invalid } from '../internal/errors.js';
import { isAbortSignal } from '../internal/signals.js';
import { checkKey, checkObject, checkTag, keysOf, waitMs } from '../internal/validate.js';
import type { Elsewhere } from '../ledger/ledger.js';
import type { NodeContext } from '../node-context.js';
import { type HOST, type Requester, requesterOf } from '../principal.js';
import { type Duplicates, isLost } from './duplicates.js';
import { ManagedRun } from './managed-run.js';
import { type Outcome, outcomeOfStored, type WaitOutcome } from './outcome.js';

/** How to wait for a run. */
export interface WaitOptions {
  /** A run of another kind is unknown. */
  readonly kind?: string | undefined;
  /** How long, in ms; for ever by default. 0, a negative number and NaN do not wait. */
  readonly timeoutMs?: number | undefined;
  /** Stops waiting; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Who asks, from the host's authentication. `HOST`, or left out: the host itself. */
  readonly requester?: Requester | typeof HOST;
}

const KNOWN: ReadonlySet<string> = keysOf<WaitOptions>({ kind: true, timeoutMs: true, signal: true, requester: true });
const UNKNOWN = { status: 'unknown' } as const;
const TIMEOUT = { status: 'timeout' } as const;

export async function wait(
  runId: string,
  options: WaitOptions,
  context: {
    readonly runtime: NodeContext;
    readonly entries: EntryIndex;
    readonly elsewhere: Elsewhere;
    readonly duplicates: Duplicates;
  },
): Promise<WaitOutcome> {
  checkKey('runId', runId);
  const requester = requesterOf(checkObject('wait options', options, KNOWN));
  const { kind, signal } = options;
  if (kind !== undefined) checkTag('kind', kind);
  if (signal !== undefined && !isAbortSignal(signal)) throw invalid('signal must be an AbortSignal.');
  const timeoutMs = waitMs('timeoutMs', options.timeoutMs, Number.POSITIVE_INFINITY);
  if (signal?.aborted === true) throw signal.reason;
  const { runtime, entries, elsewhere, duplicates } = context;
  // What is here and not to be read takes the way of what is not here: it takes as long, and fails alike.
  const here = (): Promise<WaitOutcome> | undefined => {
    const entry = entries.get(runId);
    if (!(entry instanceof ManagedRun) || (kind !== undefined && kind !== entry.kind)) return undefined;
    if (!runtime.authority.may('read', requester, entry)) return undefined;
    if (entry.hasOutcome && !(isLost(entry.reason) && timeoutMs > 0)) return Promise.resolve(entry.outcome);
    if (entry.hasOutcome) {
      return duplicates.repeatedElsewhere(runId).then((stored) => {
        const isMeant = stored !== undefined && (kind === undefined || kind === stored.kind);
        return isMeant && runtime.authority.may('read', requester, stored) ? ofStored(stored) : entry.outcome;
      });
    }
    return untilEnded(runtime, timeoutMs, signal, {
      // It may have ended just now: reading the clock is calling code of the host.
      listen: (listener) => (entry.hasOutcome ? listener(entry.outcome) : entry.onEnded(listener)),
      forget: (listener) => entry.offEnded(listener),
    });
  };
  const ofStored = async (stored: StoredRun): Promise<WaitOutcome> => {
    const outcome = outcomeOfStored(runtime, elsewhere, stored);
    if (outcome !== undefined) return outcome;
    // No notice tells a node of its own runs: it has begun here in the meantime, or is over and forgotten.
    if (stored.nodeId === runtime.nodeId) return here() ?? UNKNOWN;
    let remove: (() => void) | undefined;
    return untilEnded(runtime, timeoutMs, signal, {
      listen: (listener) => {
        remove = duplicates.whenEndedElsewhere(stored, listener);
      },
      forget: () => remove?.(),
    });
  };
  const known = here();
  if (known !== undefined) return known;
  const stored = await elsewhere.find(runId, undefined);
  if (stored === undefined || (kind !== undefined && kind !== stored.kind)) return UNKNOWN;
  if (!runtime.authority.may('read', requester, stored)) return UNKNOWN;
  return ofStored(stored);
}

function untilEnded(
  runtime: NodeContext,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  ends: {
    readonly listen: (listener: (outcome: Outcome | undefined) => void) => void;
    readonly forget: (listener: (outcome: Outcome | undefined) => void) => void;
  },
): Promise<WaitOutcome> {
  if (timeoutMs === 0) return Promise.resolve(TIMEOUT);
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const { timers } = runtime;
    const stop = (): void => {
      timers.cancel(timer);
      if (timeoutMs !== Number.POSITIVE_INFINITY) timers.unhold();
      if (signal !== undefined) runtime.signals.unlink(signal, aborted);
      ends.forget(ended);
    };
    const ended = (outcome: Outcome | undefined): void => {
      stop();
      resolve(outcome ?? UNKNOWN);
    };
    const aborted = (reason: unknown): void => {
      stop();
      reject(reason);
    };
    const timer = timers.after(timeoutMs, () => {
      stop();
      resolve(TIMEOUT);
    });
    if (timeoutMs !== Number.POSITIVE_INFINITY) timers.hold();
    try {
      if (signal !== undefined) runtime.signals.link(signal, aborted, stopWaiting);
    } catch (error) {
      stop();
      reject(error);
      return;
    }
    ends.listen(ended);
  });
}

function stopWaiting(waits: ((reason: unknown) => void)[], reason: unknown): void {
  for (const aborted of waits) aborted(reason);
}
