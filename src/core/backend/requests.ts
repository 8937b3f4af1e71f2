import type { Principal, Requester } from '../principal.js';
import type { AbortReason } from '../stop/reason.js';
import type { StoredSelector } from '../stop/selector.js';
import type { LockHolder, RecordedStop, RunRef, Snapshot, StoredReport, StoredRun } from './records.js';

/** What every operation on a record says of itself. */
export interface RecordRequest {
  /** The session. */
  readonly sessionKey: string;
  /** The node that asks. */
  readonly nodeId: string;
  /** The version of the record that this node has seen; 0 if it has seen none, and has nothing there. */
  readonly seen: number;
}

/** What every answer says of the record. */
export interface Answered {
  /** Its version after the operation. */
  readonly version: number;
  /**
   * The record after the operation. Left out only if it was at `seen` before the operation, and the operation has buried
   * nothing; for `busy` never. A record that is not there was at every number since it went, and at 0.
   */
  readonly snapshot: Snapshot | undefined;
}

/** A run that is to be stopped, by identity: another generation of its id is not. */
export interface StopItem {
  /** Its id. */
  readonly runId: string;
  /** Its generation. */
  readonly generation: number;
  /** The token of an idle grant that is revoked with it. One with a critical section in flight is not listed: it is unlocked later. */
  readonly revoke: number | undefined;
  /** Its own node knows of an epilogue that the record may not know of yet. */
  readonly hasEpilogue: boolean;
}

/** The token that was reserved for a stopped run's epilogue. */
export interface ReservedEpilogue {
  /** The stopped run. */
  readonly runId: string;
  /** The token of its epilogue. */
  readonly token: number;
}

/** A run asks for its generation. */
export interface ClaimRequest extends RecordRequest {
  /** Its id. */
  readonly runId: string;
  /** The id was made by this node: no other run can have it. */
  readonly isOwnId: boolean;
  /** A number that this node gives to no other claim. Sent again, it gets its generation again. */
  readonly attempt: number;
  /** Its kind. */
  readonly kind: string;
  /** Who starts it; `undefined` is the host itself. */
  readonly owner: Principal | undefined;
  /** Its tags. */
  readonly tags: readonly string[];
  /** The digest of its request, if one was given. */
  readonly fingerprint: string | undefined;
  /** How long its unwinding may take after a stop, in ms. */
  readonly graceMs: number;
  /** Whether it has an epilogue from its start. */
  readonly hasEpilogue: boolean;
  /** `exclusive`: refused beside a running run. `probe`: as `exclusive`, and never granted. */
  readonly mode: 'exclusive' | 'concurrent' | 'probe';
  /** Grant only when no run of the session is stopping. */
  readonly whenQuiet: boolean;
  /** Runs that the new one takes over from. */
  readonly replaces: readonly StopItem[];
  /** Ids of runs that do not stand in the new one's way, such as its ancestors. */
  readonly beside: readonly string[];
  /** An ended run of the same id that this one repeats: by its generation it is no duplicate. */
  readonly repeats: number | undefined;
  /** Stops of the session up to this number came before the run was a candidate; `undefined`: it was none, and no stop concerns it. */
  readonly since: number | undefined;
  /** As `since`, for the stops of the whole backend. */
  readonly listSince: number | undefined;
  /** Stops up to this number were judged by this node, and do not concern the run. */
  readonly judged: number;
  /** As `judged`, for the intents of the whole backend; absent: none was. */
  readonly listJudged?: number | undefined;
}

/** What a claim came to. */
export type ClaimAnswer = ClaimGranted | ClaimBusy | ClaimDuplicate | ClaimStopped;

/** The run has its generation. */
export interface ClaimGranted extends Answered {
  /** The discriminant. */
  readonly kind: 'granted';
  /** A positive safe integer, above every earlier one of the session. */
  readonly generation: number;
  /** As the record has it: the request's, or, of a run that was no candidate, its generation on the list's scale. */
  readonly listSince: number;
  /** For those of `replaces` that have one. */
  readonly epilogues: readonly ReservedEpilogue[];
}

/** Runs stand in the way: running ones, or for `not-quiet` stopping ones. The snapshot names them. */
export interface ClaimBusy extends Answered {
  /** The discriminant. */
  readonly kind: 'busy' | 'not-quiet';
  /** The record. */
  readonly snapshot: Snapshot;
  /** The counter's value: what is stopped from now on is stopped under a higher number. */
  readonly now: number;
  /** As `now`, for the stops of the whole backend. */
  readonly listNow: number;
}

/** The id is taken. */
export interface ClaimDuplicate extends Answered {
  /** The discriminant. */
  readonly kind: 'duplicate';
  /** The first run of this id. */
  readonly run: StoredRun;
}

/** Stops of other nodes, or an intent, may concern the run, the oldest first: its node judges them and claims again. */
export interface ClaimStopped extends Answered {
  /** The discriminant. */
  readonly kind: 'stopped';
  /** The stops to judge; an intent of the whole backend is one that has marked nothing. */
  readonly stops: readonly RecordedStop[];
  /** The counter's value. */
  readonly now: number;
  /** As `now`, for the stops of the whole backend. */
  readonly listNow: number;
}

/** Runs of one session are stopped. */
export interface StopRequest extends RecordRequest {
  /** A number that this node gives to no other stop. Sent again, it marks nothing new and gets the same answer. */
  readonly attempt: number;
  /** Why. */
  readonly reason: AbortReason;
  /** The host's own word beside the reason, at most 256 characters; absent if there is none. */
  readonly detail?: string | undefined;
  /** The run that takes over, for `superseded`. */
  readonly supersededBy?: string | undefined;
  /** The runs to mark. */
  readonly runs: readonly StopItem[];
  /**
   * Marks every running run of the session that matches, besides. Only for the host and `ADMIN`: nobody is asked. It
   * comes with a `record`: kept, a stop that is sent again selects nothing new.
   */
  readonly select: StoredSelector | undefined;
  /** Given for a stop of the session as a whole, and for an intent: it is kept. */
  readonly record: Pick<RecordedStop, 'selector' | 'requester' | 'intent'> | undefined;
  /** A stop that was answered, and that a failover has lost, is sent again under its number: only runs that were begun before it, and those of `named`, are marked. */
  readonly number: number | undefined;
  /** The runs that the lost answer named, by id. */
  readonly named: readonly string[];
}

/** What a stop came to. */
export interface StopAnswer extends Answered {
  /** The number of the kept stop; `undefined` if none was to be kept. */
  readonly number: number | undefined;
  /** One for each run that was listed or selected. */
  readonly runs: readonly StoppedRun[];
  /** For those runs that have one. */
  readonly epilogues: readonly ReservedEpilogue[];
}

/** What a stop found of one run. */
export interface StoppedRun {
  /** Its id. */
  readonly runId: string;
  /** `stopped`: by this stop. `stopping`: by an earlier one. `ended`: it has its outcome. `unknown`: there is no such generation. */
  readonly found: 'stopped' | 'stopping' | 'ended' | 'unknown';
  /** The run after the stop; `undefined` if the record does not know it, or, for a stop that is sent again, not any more. */
  readonly run: StoredRun | undefined;
}

/** Runs of all sessions are stopped. */
export interface StopEverywhereRequest {
  /** The node that asks. It stops its own runs in the tick of its call. */
  readonly nodeId: string;
  /** A number that this node gives to no other stop. */
  readonly attempt: number;
  /** What it is aimed at; empty for all. */
  readonly selector: StoredSelector;
  /** Who asked; `undefined` is the host itself. */
  readonly requester: Requester | undefined;
  /** Why. */
  readonly reason: AbortReason;
  /** The host's own word beside the reason, at most 256 characters; absent if there is none. */
  readonly detail?: string | undefined;
  /**
   * It is for the run of the selector's `runId`, in whichever session: a claim of that id which comes after it is
   * `stopped`, unless it has `judged` it. Absent for all other stops.
   */
  readonly intent?: boolean | undefined;
  /** A stop that a failover has lost is sent again under its number. */
  readonly number: number | undefined;
}

/** What a stop of the whole backend came to. */
export interface StopEverywhereAnswer {
  /** Its number. */
  readonly number: number;
}

/** A run has ended. */
export interface EndRequest extends RecordRequest {
  /** Its id. */
  readonly runId: string;
  /** Its generation. */
  readonly generation: number;
  /** How it ended. */
  readonly status: 'completed' | 'failed' | 'aborted';
  /** Why it was aborted, for a record that does not know of its stop. */
  readonly reason: AbortReason | undefined;
  /** The host's own word beside the reason, at most 256 characters; absent if there is none. */
  readonly detail?: string | undefined;
  /** What its node says of it. */
  readonly report: StoredReport | undefined;
  /** Whether it is kept for duplicates and waiters, until it is forgotten. */
  readonly retain: boolean;
}

/** What an end came to. */
export type EndAnswer = Ended | EndRefused;

/** The run is over. */
export interface Ended extends Answered {
  /** The discriminant. */
  readonly kind: 'ended';
  /** With the outcome that stands; `undefined` if the record does not know this generation any more. */
  readonly run: StoredRun | undefined;
}

/** The run was stopped before: its node treats it as cut from now on, and ends it as aborted once it is quiet. */
export interface EndRefused extends Answered {
  /** The discriminant. */
  readonly kind: 'stopping';
  /** With the reason that stands. */
  readonly run: StoredRun;
  /** The token of its epilogue, if one was reserved. */
  readonly epilogue: number | undefined;
}

/** What a node adds to the record of its live run. */
export interface AnnounceRequest extends RecordRequest {
  /** Its id. */
  readonly runId: string;
  /** Its generation. */
  readonly generation: number;
  /** Whether it has an epilogue. One that is announced after the stop is reserved if the lock was not granted since. */
  readonly hasEpilogue: boolean;
  /** What its node says of it, while it is stopping. */
  readonly report: StoredReport | undefined;
}

/** What an announcement came to. */
export interface AnnounceAnswer extends Answered {
  /** `stale`: the record has no live run of this generation. */
  readonly kind: 'announced' | 'stale';
  /** The token of its epilogue, if one is reserved. */
  readonly epilogue: number | undefined;
}

/** A node asks for a session's lock. */
export interface LockRequest extends RecordRequest {
  /** The run that will hold it; absent for a holder that is no run of this session. */
  readonly run: Pick<RunRef, 'runId' | 'generation'> | undefined;
  /** A number that this node gives to no other question for a lock. Sent again, it gets its token again. */
  readonly attempt: number;
  /** The token that was reserved for an epilogue. */
  readonly reserved: number | undefined;
  /** When it was asked for, in ms since the epoch, for display. */
  readonly since: number;
}

/** What asking for a lock came to. */
export type LockAnswer = LockGranted | LockBusy | LockStale;

/** The lock is granted. */
export interface LockGranted extends Answered {
  /** The discriminant. */
  readonly kind: 'granted';
  /** Above every earlier grant of the session. */
  readonly token: number;
}

/** Somebody else has it. */
export interface LockBusy extends Answered {
  /** The discriminant. */
  readonly kind: 'busy';
  /** Who; `undefined` while it is reserved for an epilogue. */
  readonly holder: LockHolder | undefined;
}

/** The run is not running, or the reservation is gone. */
export interface LockStale extends Answered {
  /** The discriminant. */
  readonly kind: 'stale';
}

/** A grant or a reservation is given back. */
export interface UnlockRequest extends RecordRequest {
  /** The number of the grant. */
  readonly token: number;
}

/** What giving it back came to. */
export interface UnlockAnswer extends Answered {
  /** False if it was not held any more, nor reserved. */
  readonly wasHeld: boolean;
}

/** Whether something still stands. At least one of `run` and `token` is given. */
export interface CheckRequest {
  /** The session. */
  readonly sessionKey: string;
  /** The run that must be running. */
  readonly run: Pick<RunRef, 'runId' | 'generation'> | undefined;
  /** The token with which the lock must be held. */
  readonly token: number | undefined;
}

/** A node asks for a record. */
export interface ReadSessionRequest {
  /** The session. */
  readonly sessionKey: string;
  /** The node that asks. */
  readonly nodeId: string;
  /** Whether it wants to hear of changes although it has nothing there. */
  readonly watch: boolean;
}

/** A node asks for a run. */
export interface ReadRunRequest {
  /** Its id. */
  readonly runId: string;
  /** Its session, where it is known. */
  readonly sessionKey: string | undefined;
  /** The node that asks. */
  readonly nodeId: string;
  /** Whether it wants to hear of changes of its session. */
  readonly watch: boolean;
}

/** What can be dropped. */
export type ForgetRequest =
  | RunRef
  | {
      /** The session. */
      readonly sessionKey: string;
      /** The number of its stop. */
      readonly stop: number;
    }
  | {
      /** The number of a stop of the whole backend. */
      readonly listed: number;
    };
