import type { RunView } from '../events.js';
import type { AbortReason } from '../stop/reason.js';
import type { AbortedOutcome, CompletedOutcome, Outcome } from './outcome.js';
import type { Run } from './run.js';

/** The id was used before, within the retention: this is the first run. */
export interface Duplicate<T = unknown> {
  /** What it came to. */
  readonly status: 'duplicate';
  /** The first run, as it is now. */
  readonly run: RunView;
  /** How the first run ends; it never rejects. One that was still being admitted, and is refused, is `aborted` with `policy`. */
  readonly outcome: Promise<Outcome<T>>;
}

/** The run was not started, and nothing was stopped for it (with the exception that `WhenBusy` names). */
export interface Rejected {
  /** What it came to. */
  readonly status: 'rejected';
  /**
   * `busy`: the session has runs, and `whenBusy` is `reject`. `forbidden`: the owner may not do it.
   * `not-quiet`: runs before it were not quiet within the grace. `draining`: the server is shutting down.
   */
  readonly cause: 'busy' | 'forbidden' | 'not-quiet' | 'draining';
  /** For `busy`: the runs in the way that the owner may read. */
  readonly runIds: readonly string[];
  /** For `not-quiet`: what is still there, by name. */
  readonly leftovers: readonly string[];
}

/** The run was over before it began: an intent, an aborted signal, or a stop in between. */
export interface AbortedBeforeStart {
  /** What it came to. */
  readonly status: 'aborted';
  /** The id of the run. */
  readonly runId: string;
  /** Why it was aborted. */
  readonly reason: AbortReason;
  /** The host's own word beside the reason, as the stop gave it. */
  readonly detail: string | undefined;
}

/** The run has its generation. */
export interface Started {
  /** What it came to. */
  readonly status: 'started';
  /** The run: end it. */
  readonly run: Run;
}

/** The run waits for its turn. */
export interface Queued {
  /** What it came to. */
  readonly status: 'queued';
  /** The run, not started yet. */
  readonly run: Run;
  /** 0 is next. */
  readonly position: number;
  /** What became of the waiting; it never rejects. */
  readonly started: Promise<QueueResult>;
}

/** The backend failed a queued run. */
export interface FailedToStart {
  /** What it came to. */
  readonly status: 'failed';
  /** The id of the run. */
  readonly runId: string;
  /** What the backend said. */
  readonly error: unknown;
}

/** What became of a queued run. */
export type QueueResult = Started | AbortedBeforeStart | Duplicate | Rejected | FailedToStart;

/** What `begin` answers. */
export type BeginResult = Started | Queued | AbortedBeforeStart | Duplicate | Rejected;

/** What `control.run` answers; it rejects with the work's own error. */
export type RunResult<T> = RunCompleted<T> | AbortedOutcome | Duplicate<T> | Rejected;

/** The work returned, to its own caller. */
export interface RunCompleted<T> extends CompletedOutcome<T> {
  /** What it returned. */
  readonly value: T;
}

/** The run was acknowledged: it can be aborted by its id from now on. */
export type Acknowledged<T> = StartedRun<T> | QueuedRun<T>;

/** The run has its generation. */
export interface StartedRun<T> {
  /** What it came to. */
  readonly status: 'started';
  /** The id of the run. */
  readonly runId: string;
  /** How the run ends; it never rejects. */
  readonly outcome: Promise<Outcome<T>>;
}

/** The run waits for its turn. */
export interface QueuedRun<T> {
  /** What it came to. */
  readonly status: 'queued';
  /** The id of the run. */
  readonly runId: string;
  /** How the run ends, or that it turned out to be none when its turn came; it never rejects. */
  readonly outcome: Promise<Outcome<T> | Duplicate<T> | Rejected>;
}

/** What `control.start` answers. */
export type StartResult<T> = Acknowledged<T> | AbortedBeforeStart | Duplicate<T> | Rejected;

/** What `control.stream` answers. */
export type StreamResult<T> =
  | (Acknowledged<void> & {
      /** What the work produces, fenced. It errors with the abort, and the run ends with it. */
      readonly stream: ReadableStream<T>;
    })
  | AbortedBeforeStart
  | Duplicate<void>
  | Rejected;
