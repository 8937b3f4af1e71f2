import type { LockHolder, RecordedStop, ReservedEpilogue, StoredRun } from './port.js';

/** Everything that a backend in memory knows, as plain data. The one value in it that JSON cannot hold is `ADMIN`, as a stop's requester. */
export interface MemoryState {
  /** The last number that was drawn. */
  readonly counter: number;
  /** Live runs, and ended ones that are retained. */
  readonly runs: readonly RunState[];
  /** Sessions with a live run, a recorded stop or a lock that is not free. */
  readonly sessions: readonly SessionState[];
}

/** A run, and what its session's lock was like when it was stopped. */
export interface RunState extends StoredRun {
  /** How many grants the session had given when the run was stopped. */
  readonly grantsAtStop: number;
  /** Whether a token was ever reserved for its epilogue. */
  readonly hasReserved: boolean;
}

/** What a session has besides its runs. */
export interface SessionState {
  /** Its key. */
  readonly sessionKey: string;
  /** Its recorded stops, oldest first. */
  readonly stops: readonly RecordedStop[];
  /** Its lock. */
  readonly lock: SessionLockState;
}

/** Who has a session's lock, and whose turn is next. */
export interface SessionLockState {
  /** Who holds it. */
  readonly holder: LockHolder | undefined;
  /** How many grants there were, epilogues not counted. */
  readonly grants: number;
  /** Epilogues that come before the next holder, in the order of the cuts. */
  readonly reserved: readonly ReservedEpilogue[];
}
