import type { LockHolder, RecordedStop, Reservation, StoredRun } from 'runfence/backend';

/** A run of the reference, live or retained. */
export type Run = { -readonly [K in keyof StoredRun]: StoredRun[K] } & {
  readonly attempt: number;
  /** The node and the attempt of the stop that marked it; empty for a takeover. */
  stoppedBy: string;
  grantAtStop: number;
};

/** A kept stop, and the named runs that were not there. */
export interface Kept {
  readonly stop: RecordedStop;
  readonly unmet: readonly string[];
}

/** What a session has besides its runs. */
export interface Room {
  readonly key: string;
  /** The last number of a change; 0 if there was none. */
  version: number;
  holder: LockHolder | undefined;
  holderAttempt: number;
  lastGrant: number;
  reserved: Reservation[];
  stops: Kept[];
}

/** Each is one rule that the reference does not know. The comparison has to see it. */
export type Defect =
  | 'burial-ignores-list'
  | 'burial-by-generation'
  | 'burial-without-authority'
  | 'takeover-buries'
  | 'late-always-reserves'
  | 'late-never-reserves'
  | 'marks-if-refused'
  | 'silent-mark'
  | 'list-moves-records'
  | 'resent-without-number'
  | 'resent-without-names'
  | 'ends-over-a-stop'
  | 'end-leaves-reservation'
  | 'no-attempt-id'
  | 'lock-no-attempt-id'
  | 'ignores-reservation'
  | 'any-reservation-first'
  | 'revokes-any-grant'
  | 'ignores-stops'
  | 'ignores-listed-intents'
  | 'replaces-any-generation'
  | 'repeats-any-generation'
  | 'left-out-too-often';

export const isLive = (run: Pick<StoredRun, 'status'>): boolean =>
  run.status === 'running' || run.status === 'stopping';

/** As a backend tells it. */
export function told(run: Run): StoredRun {
  const { attempt: _attempt, stoppedBy: _stoppedBy, grantAtStop: _grantAtStop, ...stored } = run;
  return stored;
}
