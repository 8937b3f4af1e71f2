import { withDependants } from '../abort/cut.js';
import type { Entry } from '../abort/entry.js';
import type { AbortReason } from '../abort/reason.js';
import { type QuietReport, type RemoteRun, type WhenQuietOptions, whenQuiet } from '../abort/receipt.js';
import type { StoredRun } from '../backend/port.js';
import { RunfenceError } from '../internal/errors.js';
import type { Runtime } from '../internal/runtime.js';
import type { ManagedRun } from './managed-run.js';

/** How a run ended. The first terminal result stays. */
export type Outcome<T = unknown> = CompletedOutcome<T> | FailedOutcome | AbortedOutcome;

/** The work returned. */
export interface CompletedOutcome<T = unknown> {
  /** How it ended. */
  readonly status: 'completed';
  /** What the work returned; only while the first run lives, and on its node. */
  readonly value?: T;
}

/** The work threw. */
export interface FailedOutcome {
  /** How it ended. */
  readonly status: 'failed';
  /** What it threw; `RUN_FAILED` for a run of another node. */
  readonly error: unknown;
}

/** The run was cut. */
export interface AbortedOutcome {
  /** How it ended. */
  readonly status: 'aborted';
  /** Why it was aborted. */
  readonly reason: AbortReason;
  /**
   * Waits until the run and its descendants are quiet, and reports what was seen.
   *
   * @param options - `timeoutMs`: how long to wait at most, in ms; the grace by default
   * @returns what was seen; a wait that was over first is no error: `quiet` is false, and the leftovers are named
   * @throws `INVALID_OPTIONS`
   */
  whenQuiet(options?: WhenQuietOptions): Promise<QuietReport>;
}

/** What `wait` answers. */
export type WaitOutcome<T = unknown> = Outcome<T> | NoOutcome;

/** There is no outcome to answer with. */
export interface NoOutcome {
  /**
   * `timeout`: the time was over, and the run goes on. `unknown`: no such run that the requester may
   * read, or it is of another kind, or its retention has passed.
   */
  readonly status: 'timeout' | 'unknown';
}

class Aborted implements AbortedOutcome {
  readonly status = 'aborted';
  readonly reason: AbortReason;
  readonly #runtime: Runtime;
  readonly #since: number;
  readonly #entries: readonly Entry[];
  readonly #remote: readonly RemoteRun[];

  constructor(
    runtime: Runtime,
    reason: AbortReason,
    since: number,
    entries: readonly Entry[],
    remote: readonly RemoteRun[],
  ) {
    this.reason = reason;
    this.#runtime = runtime;
    this.#since = since;
    this.#entries = entries;
    this.#remote = remote;
  }

  whenQuiet(options?: WhenQuietOptions): Promise<QuietReport> {
    return whenQuiet(this.#runtime, this.#entries, this.#remote, this.#since, options);
  }
}

export function outcomeOf(run: ManagedRun): Outcome {
  const { runtime } = run.host;
  if (run.stop !== undefined) {
    return new Aborted(runtime, run.stop.reason, run.stop.at, withDependants([run]), []);
  }
  if (run.status === 'failed') return { status: 'failed', error: run.result };
  // A retained run has dropped its value: only while it lives is it handed out.
  return run.isQuiet && run.result === undefined ? { status: 'completed' } : { status: 'completed', value: run.result };
}

/** A child of a parent that is over was never a run. */
export function neverStarted(runtime: Runtime, reason: AbortReason): AbortedOutcome {
  return new Aborted(runtime, reason, runtime.clock.monotonic(), [], []);
}

export function outcomeOfStored(runtime: Runtime, run: StoredRun): Outcome | undefined {
  switch (run.status) {
    case 'completed':
      return { status: 'completed' };
    case 'failed':
      return {
        status: 'failed',
        error: new RunfenceError('RUN_FAILED', 'The run failed on another node, which has the error.'),
      };
    case 'stopping':
    case 'aborted': {
      const since = runtime.clock.monotonic();
      return new Aborted(runtime, run.reason ?? 'policy', since, [], [run]);
    }
    default:
      return undefined;
  }
}
