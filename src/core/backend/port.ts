import type { AbortReason } from '../abort/reason.js';
import type { Selector } from '../abort/selector.js';
import type { Awaitable } from '../internal/awaitable.js';
import type { Principal, Requester } from '../principal.js';

/**
 * Where generations, locks, duplicates and notices live. A method answers with a value or with a
 * promise of it; none waits for a holder (busy is an answer). Within a session runfence sends
 * claims, stops, locks and ends one at a time a node. A method that throws or rejects is a backend
 * that is out of reach.
 */
export interface Backend {
  /** How far a stop reaches: this process, this host, or every node. */
  readonly scope: 'process' | 'host' | 'cluster';
  /** True if every method answers with a plain value. */
  readonly synchronous: boolean;
  /**
   * Gives a run its generation, after it has marked `replaces` as stopped in the same operation.
   * Order of the checks: duplicate, stopped, busy, not quiet. A duplicate or stopped claim marks nothing.
   */
  claim(request: ClaimRequest): Awaitable<ClaimAnswer>;
  /**
   * Marks runs as stopped, records the stop, revokes grants and reserves epilogues, in one
   * operation. A run has one reservation at most: asked again, the answer is the same token.
   */
  stop(request: StopRequest): Awaitable<StopAnswer>;
  /** A run has ended, and is quiet if it was stopped. Its record is kept if `retain` says so. Of its locks, only a reservation that was not taken is dropped. */
  end(request: EndRequest): Awaitable<void>;
  /** Whether the run is current: running, and of this generation. */
  check(request: RunRef): Awaitable<boolean>;
  /** Asks for a session's lock, once. */
  lock(request: LockRequest): Awaitable<LockAnswer>;
  /** Gives a grant or a reservation back. False if it was not held any more. */
  unlock(request: UnlockRequest): Awaitable<boolean>;
  /** Who holds a session's lock. */
  holder(sessionKey: string): Awaitable<LockHolder | undefined>;
  /** The runs of a session that have not ended, or the one run of that id, also a retained one. */
  read(query: { readonly sessionKey: string } | { readonly runId: string }): Awaitable<readonly StoredRun[]>;
  /** Drops a retained run, or a recorded stop. A backend that expires by itself may ignore it. */
  forget(
    what: { readonly sessionKey: string } & ({ readonly runId: string } | { readonly stop: number }),
  ): Awaitable<void>;
  /**
   * Calls `notices` about what other nodes do, until the remover is called. A backend in the process of its nodes may
   * look at what they retain, instead of keeping a copy of every ended run; it copies that when the remover is called.
   */
  subscribe(nodeId: string, notices: Notices, retained?: RetainedRuns): () => void;
  /** The control that uses it is drained. */
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

/** A run as the backend knows it. */
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
  /** Where it is in its life; `stopping` until its node says that it has ended. */
  readonly status: 'running' | 'stopping' | 'completed' | 'failed' | 'aborted';
  /** Why it was stopped. */
  readonly reason: AbortReason | undefined;
}

/** A run that is to be stopped. */
export interface StopItem {
  /** Its id. */
  readonly runId: string;
  /** Its generation: another one of the same id is not stopped. */
  readonly generation: number;
  /** The token of a grant that is revoked with it. A grant with a critical section in flight is not listed: it is unlocked later. */
  readonly revoke: number | undefined;
  /** Whether a token is to be reserved for the run's epilogue. */
  readonly epilogue: boolean;
}

/** The token that was reserved for a stopped run's epilogue. Without one, a later grant was there first. */
export interface ReservedEpilogue {
  /** The stopped run. */
  readonly runId: string;
  /** Above every grant that the session has given, below every later one. */
  readonly token: number;
}

/** A run asks for its generation. */
export interface ClaimRequest {
  /** Its session. */
  readonly sessionKey: string;
  /** Its id. */
  readonly runId: string;
  /** The node that asks. */
  readonly nodeId: string;
  /** Its kind. */
  readonly kind: string;
  /** Who starts it; `undefined` is the host itself. */
  readonly owner: Principal | undefined;
  /** Its tags. */
  readonly tags: readonly string[];
  /** The digest of its request, if one was given. */
  readonly fingerprint: string | undefined;
  /** `probe` never grants: it asks for duplicates, stops and the stop counter. */
  readonly mode: 'exclusive' | 'concurrent' | 'probe';
  /** Grant only when no run of the session is stopping. */
  readonly whenQuiet: boolean;
  /** Runs that the new one takes over from. */
  readonly replaces: readonly StopItem[];
  /** Ids of runs that do not stand in the new one's way, such as its ancestors. */
  readonly beside: readonly string[];
  /** Session stops up to this number came before the run; `undefined`: all of them did. */
  readonly stopsSeen: number | undefined;
  /** Stops up to this number were judged, and do not concern the run. */
  readonly stopsJudged: number;
}

/** What a claim came to. */
export type ClaimAnswer = ClaimGranted | ClaimBusy | ClaimDuplicate | ClaimStopped;

/** The run has its generation. */
export interface ClaimGranted {
  /** Tells the answers apart. */
  readonly kind: 'granted';
  /** A positive safe integer, above every earlier one of the session. */
  readonly generation: number;
  /** For those of `replaces` that have one. */
  readonly epilogues: readonly ReservedEpilogue[];
}

/** Runs stand in the way: running ones, or for `not-quiet` stopping ones. `replaces` was marked all the same. */
export interface ClaimBusy {
  /** Tells the answers apart. */
  readonly kind: 'busy' | 'not-quiet';
  /** The runs in the way, with their owners. */
  readonly live: readonly StoredRun[];
  /** The session's stop counter. */
  readonly stopsSeen: number;
  /** For those of `replaces` that have one. */
  readonly epilogues: readonly ReservedEpilogue[];
}

/** The id is taken. */
export interface ClaimDuplicate {
  /** Tells the answers apart. */
  readonly kind: 'duplicate';
  /** The first run of this id. */
  readonly run: StoredRun;
}

/** Stops that may concern the run: the node judges them and claims again. */
export interface ClaimStopped {
  /** Tells the answers apart. */
  readonly kind: 'stopped';
  /** The stops to judge. */
  readonly stops: readonly RecordedStop[];
  /** The session's stop counter. */
  readonly stopsSeen: number;
}

/** A stop that is kept for runs which begin, or leave their queue, after it. */
export interface RecordedStop {
  /** Its number, from the counter that generations come from. */
  readonly number: number;
  /** The node that recorded it. */
  readonly nodeId: string;
  /** What it is aimed at. */
  readonly selector: Selector;
  /** Who asked; `undefined` is the host itself. */
  readonly requester: Requester | undefined;
  /** Why. */
  readonly reason: AbortReason;
  /** An intent is for one run that has not begun; other stops are for queued runs. */
  readonly intent: boolean;
}

/** Runs of one session are stopped. */
export interface StopRequest {
  /** The session. */
  readonly sessionKey: string;
  /** The node that asks. */
  readonly nodeId: string;
  /** Why. */
  readonly reason: AbortReason;
  /** The runs to mark. */
  readonly runs: readonly StopItem[];
  /** Given for a stop of the session as a whole, and for an intent: it is kept, and moves the stop counter. */
  readonly record: Pick<RecordedStop, 'selector' | 'requester' | 'intent'> | undefined;
}

/** What a stop came to. */
export interface StopAnswer {
  /** For those runs that have one. */
  readonly epilogues: readonly ReservedEpilogue[];
  /** The number of the recorded stop; `undefined` if none was to be kept. */
  readonly number: number | undefined;
}

/** A run has ended. */
export interface EndRequest extends RunRef {
  /** The node that it lived on. */
  readonly nodeId: string;
  /** How it ended. */
  readonly status: 'completed' | 'failed' | 'aborted';
  /** Whether its record is kept, for duplicates. */
  readonly retain: boolean;
}

/** Somebody asks for a session's lock. */
export interface LockRequest {
  /** The session. */
  readonly sessionKey: string;
  /** The node that asks. */
  readonly nodeId: string;
  /** The run that will hold it; absent for a holder that is no run of this session. */
  readonly run: Pick<RunRef, 'runId' | 'generation'> | undefined;
  /** The token that was reserved for an epilogue. */
  readonly reserved: number | undefined;
  /** When it was asked for, in ms since the epoch, for display. */
  readonly since: number;
}

/** What asking for a lock came to. */
export type LockAnswer = LockGranted | LockBusy | LockStale;

/** The lock is granted. */
export interface LockGranted {
  /** Tells the answers apart. */
  readonly kind: 'granted';
  /** Above every earlier grant of the session. */
  readonly token: number;
}

/** Somebody else has it. */
export interface LockBusy {
  /** Tells the answers apart. */
  readonly kind: 'busy';
  /** Who; `undefined` while it is reserved for an epilogue. */
  readonly holder: LockHolder | undefined;
}

/** The run is not current, or the reservation is gone. */
export interface LockStale {
  /** Tells the answers apart. */
  readonly kind: 'stale';
}

/** A grant or a reservation is given back. */
export interface UnlockRequest {
  /** The session. */
  readonly sessionKey: string;
  /** The number of the grant. */
  readonly token: number;
}

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
  /** The process that the node lives in, by a backend that several processes use. */
  readonly pid?: number;
  /** The host of that process. */
  readonly host?: string;
  /** What the lock is held for: the kind of the run. */
  readonly why?: string;
}

/** The ended runs that a node retains, for its own `end` requests with `retain`. */
export interface RetainedRuns {
  /** The one of this id; `undefined` if there is none, or if it is live. */
  get(runId: string): StoredRun | undefined;
  /** All of them. */
  all(): readonly StoredRun[];
}

/** What a backend tells a node. Notices are hints: a lost one costs time, never correctness. */
export interface Notices {
  /** Runs of this node were stopped by another. */
  stopped(notice: {
    readonly sessionKey: string;
    readonly reason: AbortReason;
    readonly runs: readonly RunRef[];
    readonly supersededBy: string | undefined;
  }): void;
  /** A stop of the session as a whole was recorded by another node. */
  recorded(notice: { readonly sessionKey: string; readonly stop: RecordedStop }): void;
  /** A run of another node ended, or the session's lock was freed. */
  changed(notice: { readonly sessionKey: string; readonly ended: StoredRun | undefined }): void;
  /** A grant of this node is lost. */
  lockLost(notice: { readonly sessionKey: string; readonly token: number }): void;
  /** Notices may have been missed: read the truth again. */
  gap(): void;
}
