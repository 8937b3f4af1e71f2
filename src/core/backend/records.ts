import type { Principal, Requester } from '../principal.js';
import type { AbortReason } from '../stop/reason.js';
import type { StoredSelector } from '../stop/selector.js';
import type { EpilogueState, LockState } from '../stop/states.js';

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
