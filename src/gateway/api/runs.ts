import type { Finish } from '../../agent/index.js';
import type { AbortReason, Principal, RunReport, RunStatus, SavedState } from '../../index.js';

/** What `agent.wait` takes. */
export interface WaitParams {
  /** Which run. */
  readonly runId: string;
  /** Its kind, `agent` by default. A run of another kind is not there. */
  readonly kind?: string | undefined;
  /** How long to wait, in ms; 30 000 by default. */
  readonly timeoutMs?: number | undefined;
}

/** What `agent.wait` answers. */
export interface WaitAnswer {
  /** How the run ended. `timeout`: it goes on, and nothing was done to it. */
  readonly status: 'ok' | 'aborted' | 'error' | 'timeout';
  /** The run. */
  readonly runId: string;
  /** What it has said, if there is any. */
  readonly text?: string;
  /** How it ended by itself. */
  readonly finish?: Finish;
  /** Why it was stopped. */
  readonly reason?: AbortReason;
  /** Why it failed, in words for the client. */
  readonly message?: string;
}

/** What `runs.receipt` takes. */
export interface ReceiptParams {
  /** Which run. */
  readonly runId: string;
  /** How long to wait for quiet, in ms; not at all by default. */
  readonly waitMs?: number | undefined;
}

/** What `runs.receipt` answers: a run as it is, and what became of it if it was stopped. */
export interface ReceiptAnswer {
  /** The run. */
  readonly runId: string;
  /** The client's key of its session. */
  readonly key: string;
  /** For an admin: whose it is. */
  readonly owner?: Principal;
  /** Its kind. */
  readonly kind: string;
  /** Where it is in its life. */
  readonly status: RunStatus;
  /** Its generation. */
  readonly generation: number;
  /** Why it was stopped. */
  readonly reason?: AbortReason;
  /** What became of what it had to save. */
  readonly saved?: SavedState;
  /** When it started, in ms since the epoch; absent while it is queued. */
  readonly startedAt?: number;
  /** The run that began it as a child. */
  readonly parentId?: string;
  /** `null` for a run that goes on, or has ended by itself. */
  readonly receipt: {
    /** Why it was stopped. */
    readonly reason: AbortReason;
    /** True if the run and its descendants are quiet. */
    readonly quiet: boolean;
    /** Since the stop, in ms. */
    readonly elapsedMs: number;
    /** One report for the run and for each of its descendants. */
    readonly runs: readonly Omit<RunReport, 'nodeId' | 'error'>[];
    /** What became of what it had to save. */
    readonly saved: SavedState;
  } | null;
}
