import type { LockHolder, RecordedStop, Reservation, StopList, StoredRun } from './records.js';

/** Everything that a backend in memory knows, as plain data. The one value in it that JSON cannot hold is `ADMIN`, as a stop's requester. */
export interface MemoryState {
  /** The last number that was drawn. */
  readonly counter: number;
  /** Live runs, and ended ones that are retained. */
  readonly runs: readonly RunState[];
  /** The records that are there. */
  readonly sessions: readonly SessionState[];
  /** The stops of the whole backend. */
  readonly list: StopList;
  /** Stops that were forgotten last: sent again, one is no new one. */
  readonly forgotten?: readonly ForgottenStop[];
}

/** One operation of one node: sent again, it is the same. */
export interface Attempt {
  /** The node. */
  readonly nodeId: string;
  /** The number that it gave to the operation. */
  readonly attempt: number;
}

/** The operation that a stop came with, which is not kept any more. */
export interface ForgottenStop extends Attempt {
  /** The number that the stop had. */
  readonly number: number;
}

/** A run, and what is needed to answer for it again. */
export interface RunState extends StoredRun {
  /** The attempt of its node that claimed it. */
  readonly attempt: number;
  /** The stop that it was marked by, unless it was a takeover. */
  readonly stoppedBy: Attempt | undefined;
  /** The token of the session's last grant when it was marked, epilogues not counted. */
  readonly grantAtStop: number;
}

/** The record of a session, but for its runs. */
export interface SessionState {
  /** Its key. */
  readonly sessionKey: string;
  /** Its version. */
  readonly version: number;
  /** Its lock. */
  readonly lock: SessionLockState;
  /** Its stops, oldest first. */
  readonly stops: readonly StopState[];
}

/** Who has a session's lock, and whose turn is next. */
export interface SessionLockState {
  /** Who holds it. */
  readonly holder: LockHolder | undefined;
  /** The attempt of the holder's node that it was granted to; 0 while it is free. */
  readonly attempt: number;
  /** The token of the last grant, epilogues not counted; 0 if there was none. */
  readonly lastGrant: number;
  /** Epilogues that come before the next holder, in the order of the cuts. */
  readonly reserved: readonly Reservation[];
}

/** A kept stop. */
export interface StopState {
  /** As the record tells it. */
  readonly stop: RecordedStop;
  /** Ids that a stop which was sent again named, and that the record did not know: their claims come late. */
  readonly unmet: readonly string[];
}
