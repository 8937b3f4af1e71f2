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
   * Order of the checks: duplicate, stopped, busy, not quiet.
   */
  claim(request: ClaimRequest): Awaitable<ClaimAnswer>;
  /** Marks runs as stopped, records the stop, revokes grants and reserves epilogues, in one operation. */
  stop(request: StopRequest): Awaitable<StopAnswer>;
  /** A run has ended, and is quiet. It frees the run's grant and keeps its record if `retain` says so. */
  end(request: EndRequest): Awaitable<void>;
  /** Whether the run is current: running, and of this generation. */
  check(request: RunRef): Awaitable<boolean>;
  /** Asks for a session's lock, once. */
  lock(request: LockRequest): Awaitable<LockAnswer>;
  /** Gives a grant or a reservation back. False if it was not held any more. */
  unlock(request: UnlockRequest): Awaitable<boolean>;
  /** Who holds a session's lock. */
  holder(sessionKey: string): Awaitable<LockHolder | undefined>;
  /** The runs of a session that have not ended, or the one run of that id. */
  read(query: { readonly sessionKey: string } | { readonly runId: string }): Awaitable<readonly StoredRun[]>;
  /** Drops a retained run, or a recorded stop. A backend that expires by itself may ignore it. */
  forget(
    what: { readonly sessionKey: string } & ({ readonly runId: string } | { readonly stop: number }),
  ): Awaitable<void>;
  /** Calls `notices` about what other nodes do, until the remover is called. */
  subscribe(nodeId: string, notices: Notices): () => void;
  /** The control that uses it is drained. */
  close(): Awaitable<void>;
}

/** One generation of one run. */
export interface RunRef {
  readonly sessionKey: string;
  readonly runId: string;
  readonly generation: number;
}

/** A run as the backend knows it. */
export interface StoredRun extends RunRef {
  readonly nodeId: string;
  readonly kind: string;
  readonly owner: Principal | undefined;
  readonly fingerprint: string | undefined;
  readonly status: 'running' | 'stopping' | 'completed' | 'failed' | 'aborted';
  /** Why it was stopped. */
  readonly reason: AbortReason | undefined;
}

/** A run that is to be stopped. */
export interface StopItem {
  readonly runId: string;
  readonly generation: number;
  /** The token of a grant that is revoked with it. A grant with a critical section in flight is not listed: it is unlocked later. */
  readonly revoke: number | undefined;
  /** Whether a token is to be reserved for the run's epilogue. */
  readonly epilogue: boolean;
}

/** The token that was reserved for a stopped run's epilogue; absent if a later grant was there first. */
export interface ReservedEpilogue {
  readonly runId: string;
  readonly token: number;
}

export interface ClaimRequest {
  readonly sessionKey: string;
  readonly runId: string;
  readonly nodeId: string;
  readonly kind: string;
  readonly owner: Principal | undefined;
  readonly fingerprint: string | undefined;
  /** `probe` never grants: it asks for duplicates, stops and the stop counter. */
  readonly mode: 'exclusive' | 'concurrent' | 'probe';
  /** Grant only when no run of the session is stopping. */
  readonly whenQuiet: boolean;
  /** Runs that the new one takes over from. */
  readonly replaces: readonly StopItem[];
  /** Ids of runs that do not stand in the new one's way: its ancestors. */
  readonly beside: readonly string[];
  /** Session stops up to this number came before the run; `undefined`: all of them did. */
  readonly stopsSeen: number | undefined;
  /** Stops up to this number were judged, and do not concern the run. */
  readonly stopsJudged: number;
}

export type ClaimAnswer =
  | {
      readonly kind: 'granted';
      readonly generation: number;
      readonly epilogues: readonly ReservedEpilogue[];
    }
  /** Runs that stand in the way, and the session's stop counter. */
  | {
      readonly kind: 'busy';
      readonly live: readonly StoredRun[];
      readonly stopsSeen: number;
      readonly epilogues: readonly ReservedEpilogue[];
    }
  | {
      readonly kind: 'not-quiet';
      readonly live: readonly StoredRun[];
      readonly stopsSeen: number;
      readonly epilogues: readonly ReservedEpilogue[];
    }
  | { readonly kind: 'duplicate'; readonly run: StoredRun }
  /** Stops that may concern the run: the node judges them and claims again. */
  | { readonly kind: 'stopped'; readonly stops: readonly RecordedStop[]; readonly stopsSeen: number };

/** A stop that is kept for runs which begin, or leave their queue, after it. */
export interface RecordedStop {
  readonly number: number;
  readonly nodeId: string;
  readonly selector: Selector;
  readonly requester: Requester | undefined;
  readonly reason: AbortReason;
  /** An intent is for one run that has not begun; other stops are for queued runs. */
  readonly intent: boolean;
}

export interface StopRequest {
  readonly sessionKey: string;
  readonly nodeId: string;
  readonly reason: AbortReason;
  readonly runs: readonly StopItem[];
  /** Given for a stop of the session as a whole, and for an intent: it is kept, and moves the stop counter. */
  readonly record:
    | { readonly selector: Selector; readonly requester: Requester | undefined; readonly intent: boolean }
    | undefined;
}

export interface StopAnswer {
  readonly epilogues: readonly ReservedEpilogue[];
  /** The number of the recorded stop. */
  readonly number: number | undefined;
}

export interface EndRequest extends RunRef {
  readonly nodeId: string;
  readonly status: 'completed' | 'failed' | 'aborted';
  readonly retain: boolean;
}

export interface LockRequest {
  readonly sessionKey: string;
  readonly nodeId: string;
  /** The run that will hold it; absent for a holder that is no run of this session. */
  readonly run: { readonly runId: string; readonly generation: number } | undefined;
  /** The token that was reserved for an epilogue. */
  readonly reserved: number | undefined;
  /** When it was asked for, in ms since the epoch, for display. */
  readonly since: number;
}

export type LockAnswer =
  | { readonly kind: 'granted'; readonly token: number }
  | { readonly kind: 'busy'; readonly holder: LockHolder | undefined }
  /** The run is not current, or the reservation is gone. */
  | { readonly kind: 'stale' };

export interface UnlockRequest {
  readonly sessionKey: string;
  readonly token: number;
}

/** Who holds a session's lock. */
export interface LockHolder {
  /** The holding run; absent for a holder that is no run of the session. */
  readonly runId: string | undefined;
  readonly nodeId: string;
  readonly token: number;
  /** Since when, in ms since the epoch, by the holder's wall clock. */
  readonly since: number;
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
  /** A run ended, or the session's lock was freed. */
  changed(notice: { readonly sessionKey: string; readonly ended: StoredRun | undefined }): void;
  /** A grant of this node is lost. */
  lockLost(notice: { readonly sessionKey: string; readonly token: number }): void;
  /** Notices may have been missed: read the truth again. */
  gap(): void;
}
