import type { Backend } from '../backend/port.js';
import type { LockHolder, RecordedStop, Snapshot, StoredReport, StoredRun } from '../backend/records.js';
import type { ReservedEpilogue, StopItem, StoppedRun } from '../backend/requests.js';
import type { Awaitable } from '../internal/awaitable.js';
import type { Principal } from '../principal.js';
import type { AbortReason } from '../stop/reason.js';
import type { StoredSelector } from '../stop/selector.js';

/**
 * Gives out generations and tokens, records stops and decides outcomes. There are two: the private one of a control
 * without a backend, in which the runs themselves are the records, and the shared one over the port of backends.
 */
export interface Ledger {
  readonly scope: Backend['scope'];
  /** Other nodes may read what it records. */
  readonly isShared: boolean;
  /** Every answer is there in the tick of the call. */
  readonly isSynchronous: boolean;
  /** False while it is not sure that this node's lease runs: nothing may start then. */
  readonly isOpen: boolean;
  /** Waits until it is open, or until the runs of this node are lost. */
  whenOpen(): Promise<void>;
  /** Whether a lock of this ledger can be held by a run of the other. */
  sharesRecordsWith(other: Ledger): boolean;

  /**
   * Asks for a run's generation. A candidate that is granted is told in the tick of the answer, however late it is.
   *
   * @throws `BACKEND_UNAVAILABLE`: it may have taken effect, and is ended then
   */
  claim(candidate: LedgerCandidate): Awaitable<ClaimVerdict>;
  /**
   * Records what was stopped in one session, before everything that is not sent yet.
   *
   * @param installed - called in the tick of the answer, however late it is
   * @throws `BACKEND_UNAVAILABLE`: what it marks is marked later, by comparing the record with what is here
   */
  stop<R>(stop: SessionStop, installed: (verdict: StopVerdict) => R): Awaitable<R>;
  /** Records a stop for every node. */
  stopEverywhere(stop: EverywhereStop): Awaitable<EverywhereVerdict>;
  /**
   * Keeps an intent for a run whose session is not known. What asks for its generation after the answer is told of it,
   * on every node; what has asked before is found, or cut once its node has heard of the intent.
   */
  keepIntent(stop: EverywhereStop): Awaitable<unknown>;
  /**
   * Ends a run: `completed` and `failed` are decided by the record, `aborted` is told once it is quiet. The run hears of
   * its outcome in the tick of the answer.
   */
  end(run: LedgerRun, status: EndStatus): void;
  /** A run has announced its first epilogue, or has something new to report. */
  announce(run: LedgerRun): void;
  /**
   * Asks for a session's lock.
   *
   * @param installed - called in the tick of the answer, however late it is
   * @throws `BACKEND_UNAVAILABLE`: a grant of it is given back
   */
  lock<R>(question: LockQuestion, installed: (verdict: LockVerdict) => R): Awaitable<R>;
  /**
   * True once it is taken. What is not taken is given back again, by comparing the record with what is here.
   *
   * @param runId - whose it was, for the error
   */
  unlock(sessionKey: string, token: number, runId: string | undefined): Awaitable<boolean>;
  /** Whether the record has the run as running, and its lock held with the token. A run that it has not is cut. */
  check(sessionKey: string, run: LedgerRun | undefined, token: number | undefined): Awaitable<boolean>;
  /** A run that the record has as this node's, and that is not here, is ended. */
  disown(run: StoredRun): void;
  /** A retained run is forgotten. */
  forget(run: LedgerRun): void;
  /** What other nodes have. */
  readonly elsewhere: Elsewhere;

  /** A run was granted here: from now on the node's lease matters. */
  started(): void;
  /** Nothing of a session may be here any more. */
  idle(sessionKey: string): void;
  /** Begins to hear of other nodes. */
  subscribe(): void;
  /** How many stops are kept for runs to come. */
  readonly storedStops: { readonly size: number };
  /** Timers that nothing waits for: of stops that are kept, and of a lease that runs. */
  readonly idleTimers: number;
  /** What other nodes wait for until the backend has taken it, by name. */
  readonly unsent: readonly string[];
  /** For a snapshot; `undefined` without a backend. */
  readonly state: BackendSnapshot | undefined;
  /** Sends at once what would be sent again later; until all of it is answered. */
  flush(): Promise<void>;
  /** Nothing is asked, told or heard any more. */
  close(): void;
  /** Lets go of the backend. */
  release(): Awaitable<void>;
}

/** What a node knows of its backend. */
export interface BackendSnapshot {
  /** What shares it. */
  readonly scope: Backend['scope'];
  /** False: it is not sure that the lease of this node runs, and nothing starts. */
  readonly open: boolean;
  /** For how many ms the lease surely runs on; absent for a backend without leases. Below 0 it may have ended. */
  readonly leaseMs?: number;
  /** Requests that are not answered. */
  readonly inFlight: number;
  /** Ends and locks that it has not taken, and that are sent again. */
  readonly unsent: number;
}

export type EndStatus = 'completed' | 'failed' | 'aborted';

/**
 * Where a run is in its life on its own node. `ending`: it has its own result, and the record has not said that it
 * stands. `settled`: nothing of it is left here.
 */
export type Stage = 'queued' | 'running' | 'ending' | 'stopping' | 'settled';

/** What the ledger knows of a run. */
export interface LedgerRun {
  readonly id: string;
  readonly sessionKey: string;
  /** 0 until it is granted. */
  readonly generation: number;
  readonly kind: string;
  readonly owner: Principal | undefined;
  readonly tags: readonly string[];
  readonly fingerprint: string | undefined;
  readonly graceMs: number;
  readonly stage: Stage;
  /** It was granted while it was live: there is something to unwind. */
  readonly hasStarted: boolean;
  /** As what it ends here, once it is `ending` or `settled`. */
  readonly endStatus: EndStatus;
  readonly reason: AbortReason | undefined;
  readonly detail: string | undefined;
  readonly supersededBy: string | undefined;
  readonly hasEpilogue: boolean;
  /** The record has confirmed its stop. */
  readonly isConfirmed: boolean;
  /** Its outcome is the record's, or is published without it. */
  readonly isDecided: boolean;
  /** Stops of the whole backend up to this number came before it. */
  listSince: number;
  /** Whether its record is kept once it has ended. */
  readonly isKept: boolean;
  storedReport(): StoredReport | undefined;
  /**
   * What the record says of its outcome, or `undefined` if it does not know the run any more. An `ending` run that the
   * record has as stopped is cut now; one that was cut has the record's reason.
   */
  decided(run: StoredRun | undefined): void;
  /**
   * The record cannot be asked: an `ending` run is lost, and one that was cut keeps the reason of its cut. Another node
   * may be told otherwise, and the outcome says so.
   */
  undecidable(): void;
  /** Its own result stands: no record can say otherwise, or none can be asked. */
  stands(): void;
  /** For an error of this run that has no caller. */
  onError(error: unknown): void;
}

/** A run that asks for its generation. */
export interface LedgerCandidate {
  readonly run: LedgerRun;
  /** Unique on its node. */
  readonly attempt: number;
  /** The counter's value in its first answer: later stops concern it. */
  since: number | undefined;
  listSince: number | undefined;
  /** Stops up to this number were judged. */
  judged: number;
  /** As `judged`, for the intents of the whole backend. */
  listJudged: number;
  /** The record's version when it was last told that somebody is in its way. */
  answeredAt: number;
  /** The ended run of its id that it repeats. */
  readonly repeats: number | undefined;
  readonly isOwnId: boolean;
  /** Under which id it asks. */
  readonly askedId: string;
  /** What it asks for now; `undefined`: it does not ask any more. */
  terms(others: readonly StoredRun[]): ClaimTerms | undefined;
  /** In the tick of the answer. One that was cut in the meantime ends its generation. */
  granted(grant: ClaimGrant): void;
}

/** What a candidate was given. */
export interface ClaimGrant {
  readonly generation: number;
  readonly listSince: number;
  /** Of the runs that it replaces. */
  readonly epilogues: readonly ReservedEpilogue[];
  /** The session's runs, if others had changed the record: one that it replaces may have been stopped before. */
  readonly record: readonly StoredRun[] | undefined;
}

/** What a candidate asks for. */
export interface ClaimTerms {
  readonly mode: 'exclusive' | 'concurrent' | 'probe';
  readonly whenQuiet: boolean;
  readonly replaces: readonly StopItem[];
  readonly beside: readonly string[];
}

/** What a claim came to. `gone`: the run was cut before it was sent. */
export type ClaimVerdict =
  | { readonly kind: 'granted' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'duplicate'; readonly run: StoredRun }
  | {
      readonly kind: 'stopped';
      readonly stops: readonly RecordedStop[];
      readonly now: number;
      readonly listNow: number;
    }
  | { readonly kind: 'busy' | 'not-quiet'; readonly live: readonly StoredRun[] };

/** A stop of one session. */
export interface SessionStop {
  readonly sessionKey: string;
  readonly reason: AbortReason;
  readonly detail?: string | undefined;
  /** The run that takes over, for `superseded`. */
  readonly supersededBy?: string | undefined;
  readonly runs: readonly StopItem[];
  readonly select: StoredSelector | undefined;
  readonly record: Pick<RecordedStop, 'selector' | 'requester' | 'intent'> | undefined;
}

/** What a stop came to. */
export interface StopVerdict {
  /** What it found of each run. The private ledger finds what is here, and says nothing. */
  readonly runs: readonly StoppedRun[];
  readonly epilogues: readonly ReservedEpilogue[];
}

/** A stop of all sessions. */
export type EverywhereStop = Pick<RecordedStop, 'selector' | 'requester' | 'reason' | 'detail'>;

/** What a stop for every node came to: the runs of other nodes that it concerns. */
export interface EverywhereVerdict {
  readonly runs: readonly StoredRun[];
}

/** A question for a session's lock. */
export interface LockQuestion {
  readonly sessionKey: string;
  /** The holder to be; one of another session is no run to the record. */
  readonly run: Pick<LedgerRun, 'id' | 'generation'> | undefined;
  /** The token that was reserved for its epilogue. */
  readonly reserved: number | undefined;
  /** In ms since the epoch, for display. */
  readonly since: number;
}

/** What asking for a lock came to. */
export type LockVerdict =
  | { readonly kind: 'granted'; readonly token: number }
  | { readonly kind: 'busy'; readonly holder: LockHolder | undefined }
  | { readonly kind: 'stale' };

/** What other nodes have. */
export interface Elsewhere {
  /** The run of this id, if it is not of this node. */
  find(runId: string, sessionKey: string | undefined): Awaitable<StoredRun | undefined>;
  /** The record of a session; `undefined`: there is none beside what is here. */
  session(sessionKey: string): Awaitable<Snapshot | undefined>;
  /** The live runs of all sessions. */
  active(): Awaitable<readonly StoredRun[]>;
  /**
   * Tells what becomes of a run of another node, until the remover is called: each change of its status or report.
   * `undefined`: it is over, and how it ended is not known any more.
   */
  watch(
    run: Pick<StoredRun, 'runId' | 'sessionKey' | 'generation'>,
    listener: (run: StoredRun | undefined) => void,
  ): () => void;
}
