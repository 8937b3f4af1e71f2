import type { StoredRun } from '../backend/records.js';
import type { Requester } from '../principal.js';
import type { AbortReason } from '../stop/reason.js';
import type { LedgerCandidate, LedgerRun } from './ledger.js';

/** What the ledger asks of the control that it serves, about one session or all. */
export interface LedgerHost {
  /** Runs with a generation that are not settled. */
  runs(sessionKey: string): readonly LedgerRun[];
  candidates(sessionKey: string): readonly LedgerCandidate[];
  /** The run of this generation, or else the newest of this id; also a retained one. */
  find(runId: string, generation?: number): LedgerRun | undefined;
  locks(sessionKey: string): LedgerLocks | undefined;
  sessionKeys(): Iterable<string>;
  /** Cuts runs and candidates of this node. */
  cut(runs: readonly LedgerRun[], cause: Cause): void;
  /** Whether a stop's requester may stop a run. */
  mayStop(requester: Requester | undefined, run: LedgerRun): boolean;
  /**
   * The record has changed: candidates and lock waiters ask again.
   *
   * @param version - a candidate whose last answer is as new need not
   */
  wake(sessionKey: string, version: number): void;
  /** Whether a run, a candidate or a lock of the session is here. */
  isUsing(sessionKey: string): boolean;
  /** Runs of a dead node were ended. */
  orphaned(runs: readonly StoredRun[], acknowledge: () => void): void;
  /** The node is suspect, and open again. */
  suspend(): void;
  resume(): void;
}

/** Why runs are cut, and whether the record says so. */
export interface Cause {
  readonly reason: AbortReason;
  readonly detail?: string | undefined;
  readonly requester: Requester | undefined;
  readonly supersededBy: string | undefined;
  /** `told`: it knows of the stop. `untold`: it is to be told. `asked`: it does not know the run, and says how it ended. */
  readonly record: 'told' | 'untold' | 'asked';
}

/** The lock of one session, as far as it is this node's. */
export interface LedgerLocks {
  /** The token of the grant that is held here. */
  readonly heldToken: number | undefined;
  /** The token under which an epilogue runs here. */
  readonly epilogueToken: number | undefined;
  /** Tokens that were given back, and whose answer was lost. */
  readonly owedTokens: readonly number[];
  /** A grant is not the node's any more. */
  lost(token: number): void;
  /** A token that could not be given back has been taken. */
  returned(token: number): void;
  /** The epilogue of this run that has not begun; `undefined`: none is due. */
  dueEpilogue(runId: string): DueEpilogue | undefined;
  dueEpilogues(): readonly DueEpilogue[];
}

/** An epilogue that waits for its place in the order of the lock. */
export interface DueEpilogue {
  readonly run: LedgerRun;
  /** `undefined`: not known yet. */
  readonly token: number | undefined;
  /** @param token - `undefined`: nothing was reserved, and it is skipped */
  tokenKnown(token: number | undefined): void;
}
