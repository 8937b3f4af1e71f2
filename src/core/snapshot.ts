import type { BackendSnapshot } from './ledger/ledger.js';
import type { AbortReason } from './stop/reason.js';
import type { RunStatus } from './stop/states.js';

/** How to look at a control. */
export interface InspectOptions {
  /** True: session keys and run ids as they are, instead of their hashes. */
  readonly reveal?: boolean;
  /** At most so many runs and so many sessions; 100 by default. What is left out is counted. */
  readonly limit?: number;
}

/** What a control is doing: plain data for `JSON.stringify`, without owners, tags and data of the host's. */
export interface ControlSnapshot {
  /** When it was taken, in ms since the epoch. */
  readonly at: number;
  /** The node: one per registry, random. */
  readonly nodeId: string;
  /** It takes no new runs. */
  readonly draining: boolean;
  /** How many there are, what is left out below included. */
  readonly counts: {
    /** Runs that wait for their start. */
    readonly queued: number;
    /** Runs that run. */
    readonly running: number;
    /** Runs that were cut, and are not quiet. */
    readonly stopping: number;
    /** Runs that a timeout has cut, and that were not quiet within their grace. */
    readonly abandoned: number;
    /** Sessions whose lock is in use. */
    readonly locks: number;
    /** Those that wait for a lock: runs and others. */
    readonly waitingForLocks: number;
    /** Timers of this node. */
    readonly timers: number;
  };
  /** The backend; absent for a control without one. */
  readonly backend?: BackendSnapshot;
  /** Stopping, then queued, then running; the oldest first. */
  readonly runs: readonly RunSnapshot[];
  /** The sessions of these runs, and those whose lock is in use. */
  readonly sessions: readonly SessionSnapshot[];
  /** Runs that wait for each other, or for themselves, as far as it is known: none of them goes on by itself. */
  readonly cycles: readonly (readonly string[])[];
  /** What is left out. */
  readonly omitted: {
    /** So many runs. */
    readonly runs: number;
    /** So many sessions. */
    readonly sessions: number;
  };
}

/** One run of a snapshot. */
export interface RunSnapshot {
  /** Its id; the hash of one that the host gave. */
  readonly runId: string;
  /** The hash of its session's key. */
  readonly session: string;
  /** Its kind. */
  readonly kind: string;
  /** Where it is in its life. */
  readonly status: RunStatus;
  /** Why it was aborted. */
  readonly reason?: AbortReason;
  /** 0 while queued. */
  readonly generation: number;
  /** Since it started, or since it was queued, in ms; absent while it is being admitted. */
  readonly ageMs?: number;
  /** Since its cut, in ms. */
  readonly stoppingMs?: number;
  /** The run that it is a child of. */
  readonly parentId?: string;
  /** What keeps it from going on, as far as runfence knows: what its own code awaits besides is not known. */
  readonly waitsFor: readonly WaitSnapshot[];
  /** What of it is there, by name: `work`, gated calls, attached things, `commit`, `epilogue`, `lock`, `defer`; behind `limit` names how many more. */
  readonly unfinished: readonly string[];
}

/**
 * Something that a run waits for. `turn`: its place in the session, behind these runs. `quiet`: these runs, which are still
 * stopping. `lock`: the lock of a session, which these runs have, save under, or come before it in. `child`: its children,
 * if its work awaits them. `backend`: an answer. `lease`: its node is not sure that it may act.
 */
export interface WaitSnapshot {
  /** What it waits for. */
  readonly for: 'turn' | 'quiet' | 'lock' | 'child' | 'backend' | 'lease';
  /** Behind whom. */
  readonly runs: readonly string[];
  /** Whose lock, if it is one. */
  readonly session?: string;
}

/** One session of a snapshot. */
export interface SessionSnapshot {
  /** The hash of its key. */
  readonly session: string;
  /** Its running runs. */
  readonly running: readonly string[];
  /** Its runs that were cut, and are not quiet. */
  readonly stopping: readonly string[];
  /** Its queued runs, next first. */
  readonly queued: readonly string[];
  /** Its lock; absent if nobody uses it. */
  readonly lock?: LockSnapshot;
}

/** The lock of a session. */
export interface LockSnapshot {
  /**
   * `held`; `saving`: an epilogue runs under it; `asking`: the backend is asked; `returning`: it is given back;
   * `elsewhere`: another node has it; `free`.
   */
  readonly state: 'free' | 'returning' | 'asking' | 'held' | 'saving' | 'elsewhere';
  /** The run that has it, if it is one. */
  readonly runId?: string;
  /** The node that has it. */
  readonly nodeId?: string;
  /** Since when, in ms. */
  readonly heldMs?: number;
  /** Which runs wait for it, next first; `-` is one that is no run. */
  readonly waiting: readonly string[];
  /** The runs whose epilogues come first. */
  readonly epilogues: readonly string[];
}
