import type { Awaitable } from '../internal/awaitable.js';
import type { Snapshot, StopList, StoredRun } from './records.js';
import type {
  AnnounceAnswer,
  AnnounceRequest,
  CheckRequest,
  ClaimAnswer,
  ClaimRequest,
  EndAnswer,
  EndRequest,
  ForgetRequest,
  LockAnswer,
  LockRequest,
  ReadRunRequest,
  ReadSessionRequest,
  StopAnswer,
  StopEverywhereAnswer,
  StopEverywhereRequest,
  StopRequest,
  UnlockAnswer,
  UnlockRequest,
} from './requests.js';

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
