import type { Awaitable } from '../internal/awaitable.js';
import type { Principal, Requester } from '../principal.js';
import type { AbortReason } from '../stop/reason.js';
import type { StoredSelector } from '../stop/selector.js';
import type { EpilogueState, LockState } from '../stop/states.js';

/**
 * Where the records of sessions live: one record a session, with its live runs, its lock and its stops.
 *
 * Every operation is atomic and answers with what it found. Every change of a record draws a number, which becomes the
 * record's `version`: generations, tokens, stops and versions of a session come from one counter, and no number is ever
 * drawn twice. A node learns of the others' changes by comparing records, never by a message alone: an answer carries
 * the record if it had changed since the node saw it last, and a notice only says which version to look at.
 *
 * A method answers with a value or with a promise of it. None waits for a holder: busy is an answer. A method that throws
 * or rejects is a backend that is out of reach, and the operation may have taken effect. An operation that is sent again
 * gets the same answer.
 */
export interface Backend {
  /** How far a stop reaches: this process, this host, or every node. */
  readonly scope: 'process' | 'host' | 'cluster';
  /** True if every method answers with a plain value. */
  readonly synchronous: boolean;
  /**
   * Gives a run its generation, and marks the runs in `replaces` as superseded in the same operation.
   * Order of the checks: the same attempt, duplicate, stopped, busy, not quiet. A claim that is refused marks nothing.
   */
  claim(request: ClaimRequest): Awaitable<ClaimAnswer>;
  /** Marks running runs as stopped, revokes grants, reserves epilogues and keeps the stop, in one operation. */
  stop(request: StopRequest): Awaitable<StopAnswer>;
  /**
   * Appends a stop to the list of the whole backend. It marks no run and moves no record's version: each node holds the
   * list against its own runs and candidates, and whoever buries a run judges the list first. An intent in the list is
   * besides for a run that is claimed later.
   */
  stopEverywhere(request: StopEverywhereRequest): Awaitable<StopEverywhereAnswer>;
  /**
   * Ends a run. The first result stays: a running run ends with `status`; one that was stopped before is refused while
   * `status` is `completed` or `failed`, and ends with its recorded reason once it is `aborted`. A reservation of its
   * epilogue that was not taken is dropped; a grant is given back by `unlock`.
   */
  end(request: EndRequest): Awaitable<EndAnswer>;
  /** Adds to the record of a live run: that it has an epilogue, or what its node reports of it while it is stopping. */
  announce(request: AnnounceRequest): Awaitable<AnnounceAnswer>;
  /** Asks for a session's lock, once. While epilogues are reserved, only the first of them is granted. */
  lock(request: LockRequest): Awaitable<LockAnswer>;
  /** Gives a grant or a reservation back, by its token. */
  unlock(request: UnlockRequest): Awaitable<UnlockAnswer>;
  /** Whether a run is running in this generation, and, if a token is given, whether the lock is held with it. */
  check(request: CheckRequest): Awaitable<boolean>;
  /** The record of a session. A node is told of its changes also if it has read them: a read teaches it nothing. */
  readSession(request: ReadSessionRequest): Awaitable<Snapshot>;
  /** The run of an id: live, or retained. */
  readRun(request: ReadRunRequest): Awaitable<StoredRun | undefined>;
  /** The records in which a node has live runs, a grant or a reservation. */
  readNode(nodeId: string): Awaitable<readonly Snapshot[]>;
  /** The live runs of all sessions. */
  readActive(): Awaitable<readonly StoredRun[]>;
  /** The stops of the whole backend that are kept. */
  readStops(): Awaitable<StopList>;
  /**
   * Drops a retained run, a stop of a session, or a stop of the whole backend. It moves no version: what is old enough
   * to be dropped concerns nobody. A backend that expires them by itself may ignore it.
   */
  forget(request: ForgetRequest): Awaitable<void>;
  /** Calls `notices` about what other nodes do, until the remover is called. */
  subscribe(nodeId: string, notices: Notices): () => void;
  /**
   * Until when this node's lease surely runs, on the scale of `performance.now()`: past it gates, commits, locks and
   * claims are closed until the backend has renewed it. Absent for a backend without leases.
   */
  aliveUntil?(): number;
  /** A control that uses it is drained. It may come once for each control, and while others are still subscribed. */
  close(): Awaitable<void>;
}

/** One generation of one run. */
export interface RunRef {
  /** Its session. */
  readonly sessionKey: string;
  /** Its id. */
  readonly runId: string;
  /** Its generation. */
  readonly generation: number;
}

/** A run as the record has it. */
export interface StoredRun extends RunRef {
  /** The node that it lives on: one a registry, random. */
  readonly nodeId: string;
  /** Its kind. */
  readonly kind: string;
  /** Who started it; `undefined` is the host itself. */
  readonly owner: Principal | undefined;
  /** Its tags. */
  readonly tags: readonly string[];
  /** The digest of its request, if one was given. */
  readonly fingerprint: string | undefined;
  /** How long its unwinding may take after a stop, in ms. */
  readonly graceMs: number;
  /** Where it is in its life; `stopping` until its node says that it has ended. */
  readonly status: 'running' | 'stopping' | 'completed' | 'failed' | 'aborted';
  /** Why it was stopped. Written once, at the stop: an end keeps it. */
  readonly reason: AbortReason | undefined;
  /** The host's own word beside the reason, at most 256 characters; absent if there is none. */
  readonly detail?: string | undefined;
  /** The run that took over from it. */
  readonly supersededBy: string | undefined;
  /** Whether it has announced an epilogue: then every stop reserves one. */
  readonly hasEpilogue: boolean;
  /** Stops of the whole backend up to this number came before it. */
  readonly listSince: number;
  /** What its node last reported of it, once it is stopping. */
  readonly report: StoredReport | undefined;
}

/** What a run's own node says of it after its stop. */
export interface StoredReport {
  /** What became of its lock. */
  readonly lock: LockState;
  /** What became of its epilogue. */
  readonly epilogue: EpilogueState;
  /** What is still there, by name. */
  readonly leftovers: readonly string[];
  /** What had started and not ended at the cut, by name. */
  readonly unknown?: readonly string[] | undefined;
  /** How many effects were refused since the cut. */
  readonly fencedEffects: number;
  /** From the cut until quiet, or until the report, in ms. */
  readonly elapsedMs: number;
  /** False: nobody had read its signal at the cut while its work went on. `undefined`: not known. */
  readonly interrupted?: boolean | undefined;
}

/** The record of one session. */
export interface Snapshot {
  /** The session. */
  readonly sessionKey: string;
  /** The last number that a change of the record drew. A record that is not there is at the counter's value. */
  readonly version: number;
  /** Its live runs, in the order of their generations. */
  readonly runs: readonly StoredRun[];
  /** Who holds the lock. */
  readonly holder: LockHolder | undefined;
  /** Epilogues that come before the next holder, in the order of the cuts. */
  readonly reserved: readonly Reservation[];
  /** The stops that are kept, oldest first. */
  readonly stops: readonly RecordedStop[];
}

/** The place of a stopped run's epilogue in the order of the lock. */
export interface Reservation {
  /** The stopped run. */
  readonly runId: string;
  /** The node that it lives on. */
  readonly nodeId: string;
  /** Above every grant that the session has given, below every later one. */
  readonly token: number;
}

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

/** A stop that is kept for runs which begin, or leave their queue, after it. */
export interface RecordedStop {
  /** Its number, from the counter that generations come from. */
  readonly number: number;
  /** The node that recorded it. */
  readonly nodeId: string;
  /** The attempt of that node. */
  readonly attempt: number;
  /** What it is aimed at. */
  readonly selector: StoredSelector;
  /** Who asked; `undefined` is the host itself. */
  readonly requester: Requester | undefined;
  /** Why. */
  readonly reason: AbortReason;
  /** The host's own word beside the reason, at most 256 characters; absent if there is none. */
  readonly detail?: string | undefined;
  /** An intent is for one run that has not begun; other stops are for queued runs. */
  readonly intent: boolean;
  /** The ids of the runs that it marked, and, if it was sent again, those of `named` that the record did not know. */
  readonly marked: readonly string[];
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

/** A stop of the whole backend. */
export interface ListedStop extends Omit<RecordedStop, 'intent' | 'marked'> {
  /** Whether it is an intent: it concerns a run that is claimed after it, too. Absent: it is none. */
  readonly intent?: boolean | undefined;
}

/** The stops of the whole backend that are kept. */
export interface StopList {
  /** The last number that was drawn for it; 0 if there was none. One that is sent again under its old number draws a new one. */
  readonly version: number;
  /** Oldest first. */
  readonly stops: readonly ListedStop[];
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

/** Who holds a session's lock. */
export interface LockHolder {
  /** The holding run; absent for a holder that is no run of the session. */
  readonly runId: string | undefined;
  /** The node that it lives on. */
  readonly nodeId: string;
  /** The number of the grant. */
  readonly token: number;
  /** Since when, in ms since the epoch, by the holder's wall clock. */
  readonly since: number;
  /** It is an epilogue's. */
  readonly isEpilogue: boolean;
  /** The process that the node lives in, by a backend that several processes use. */
  readonly pid?: number;
  /** The host of that process. */
  readonly host?: string;
  /** What the lock is held for: the kind of the run. */
  readonly why?: string;
}

/** What a backend tells a node. Notices are hints: a lost, late or doubled one costs time, never correctness. */
export interface Notices {
  /**
   * Another node has changed the record of a session in which this one has runs, grants or reservations, or which it watches.
   *
   * @param snapshot - the record of that version, if the backend has it at hand
   */
  changed(sessionKey: string, version: number, snapshot?: Snapshot): void;
  /** Another node has appended to the list of the whole backend. */
  listed(version: number, list?: StopList): void;
  /** Notices may have been missed: everything is read again. */
  gap(): void;
  /** This node's lease has ended, and could not be renewed: its runs and grants are not its own any more. */
  lost(): void;
  /** Live runs of a node that is dead were ended by this one. They are told again, here or elsewhere, until they are acknowledged. */
  orphaned(runs: readonly StoredRun[], acknowledge: () => void): void;
}
