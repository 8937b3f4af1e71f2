import { withDependants } from '../abort/cut.js';
import type { Observed } from '../abort/observed.js';
import { type QuietReport, type WhenQuietOptions, whenQuiet, whenSaved } from '../abort/receipt.js';
import { RemoteRun } from '../abort/remote-run.js';
import type { StoredRun } from '../backend/records.js';
import { RunfenceError } from '../internal/errors.js';
import type { Elsewhere } from '../ledger/ledger.js';
import type { NodeContext } from '../node-context.js';
import type { AbortReason } from '../stop/reason.js';
import type { SavedState } from '../stop/states.js';
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
  /** The host's own word beside the reason, as the stop gave it. */
  readonly detail: string | undefined;
  /**
   * Whether this is what the backend has recorded. False: it did not answer, or does not know the run any more, and what
   * is told is what this process knows. Another process may have been told another reason, or another result.
   */
  readonly confirmed: boolean;
  /**
   * Waits until the run and its descendants are quiet, and reports what was seen.
   *
   * @param options - `timeoutMs`: how long to wait at most, in ms; the grace by default
   * @returns what was seen; a wait that was over first is no error: `quiet` is false, and the leftovers are named
   * @throws `INVALID_OPTIONS`
   */
  whenQuiet(options?: WhenQuietOptions): Promise<QuietReport>;
  /**
   * Waits until what the run had to save is saved: earlier than quiet. It always settles.
   *
   * @param options - `timeoutMs`: how long to wait at most, in ms; the grace by default
   * @returns what became of it
   * @throws `INVALID_OPTIONS`
   */
  whenSaved(options?: WhenQuietOptions): Promise<SavedState>;
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

const NOTHING_TO_SAVE: SavedState = Object.freeze({ state: 'none' });

type Why = Pick<AbortedOutcome, 'reason' | 'detail'> & { readonly isUncertain?: boolean };

class Aborted implements AbortedOutcome {
  readonly status = 'aborted';
  readonly reason: AbortReason;
  readonly detail: string | undefined;
  readonly confirmed: boolean;
  readonly #runtime: NodeContext;
  readonly #since: number;
  readonly #observed: readonly Observed[];

  constructor(
    runtime: NodeContext,
    { reason, detail, isUncertain = false }: Why,
    since: number,
    observed: readonly Observed[],
  ) {
    this.reason = reason;
    this.detail = detail;
    this.confirmed = !isUncertain;
    this.#runtime = runtime;
    this.#since = since;
    this.#observed = observed;
  }

  async whenSaved(options?: WhenQuietOptions): Promise<SavedState> {
    const [own] = this.#observed;
    const saved = await whenSaved(this.#runtime, own === undefined ? [] : [own], options);
    return own === undefined ? NOTHING_TO_SAVE : (saved[own.id] ?? NOTHING_TO_SAVE);
  }

  whenQuiet(options?: WhenQuietOptions): Promise<QuietReport> {
    return whenQuiet(this.#runtime, this.#observed, this.#since, options);
  }
}

export function outcomeOf(run: ManagedRun): Outcome {
  const { runtime } = run.host;
  if (run.stop !== undefined) {
    return new Aborted(
      runtime,
      { reason: run.reason ?? run.stop.reason, detail: run.detail, isUncertain: run.isUncertain },
      run.stop.at,
      withDependants([run]),
    );
  }
  if (run.status === 'failed') return { status: 'failed', error: run.result };
  // A retained run has dropped its value: only while it lives is it handed out.
  return run.isQuiet && run.result === undefined ? { status: 'completed' } : { status: 'completed', value: run.result };
}

/** A child of a parent that is over was never a run. */
export function neverStarted(runtime: NodeContext, why: Why): AbortedOutcome {
  return new Aborted(runtime, why, runtime.clock.monotonic(), []);
}

export function outcomeOfStored(runtime: NodeContext, elsewhere: Elsewhere, run: StoredRun): Outcome | undefined {
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
      return new Aborted(runtime, { reason: run.reason ?? 'policy', detail: run.detail }, since, [
        new RemoteRun(runtime, elsewhere, run, since),
      ]);
    }
    default:
      return undefined;
  }
}
