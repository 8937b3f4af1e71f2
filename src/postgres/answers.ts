import type {
  ClaimAnswer,
  EndAnswer,
  ListedStop,
  LockHolder,
  RecordedStop,
  ReservedEpilogue,
  Snapshot,
  StopAnswer,
  StopList,
  StoppedRun,
  StoredRun,
} from '../backend/index.js';
import type { Requester } from '../index.js';
import { requesterOf } from './text.js';

/** What each answer of an operation has. */
export interface Answer {
  /** The digest of the session's key. */
  readonly id: string;
  readonly version: number;
  readonly snapshot?: StoredSnapshot;
  /** Whom to tell. */
  readonly hints: readonly Hint[];
  /** Runs of a dead process were ended. */
  readonly orphans?: true;
}

/** Who is to look at what. */
export type Hint = { readonly to: string } & (
  | { readonly session: string; readonly version: number }
  | { readonly list: number }
);

type Sparse<T> = { readonly [K in keyof T]?: T[K] };

export interface StoredSnapshot {
  readonly sessionKey: string;
  readonly version: number;
  readonly runs: readonly Sparse<StoredRun>[];
  readonly holder: Sparse<LockHolder> | null;
  readonly reserved: readonly { readonly runId: string; readonly nodeId: string; readonly token: number }[];
  readonly stops: readonly StoredStop[];
}

export type StoredStop = Omit<RecordedStop, 'requester'> & { readonly requester?: Requester | 'admin' };
export type StoredListed = Omit<ListedStop, 'requester'> & { readonly requester?: Requester | 'admin' };

/** What is not there is `undefined`, as in every other backend. */
export function runOf(run: Sparse<StoredRun>): StoredRun {
  return {
    ...(run as StoredRun),
    owner: run.owner,
    fingerprint: run.fingerprint,
    reason: run.reason,
    supersededBy: run.supersededBy,
    report: run.report,
  };
}

export function stopOf(stop: StoredStop): RecordedStop {
  const { number, nodeId, attempt, selector, reason, detail, intent, marked } = stop;
  return {
    ...{ number, nodeId, attempt, selector, reason, ...(detail !== undefined && { detail }), intent, marked },
    requester: requesterOf(stop.requester),
  };
}

export function holderOf(holder: Sparse<LockHolder> | null | undefined): LockHolder | undefined {
  return holder === null || holder === undefined ? undefined : { ...(holder as LockHolder), runId: holder.runId };
}

export function snapshotOf({ sessionKey, version, runs, holder, reserved, stops }: StoredSnapshot): Snapshot {
  return {
    sessionKey,
    version,
    runs: runs.map(runOf),
    holder: holderOf(holder),
    reserved: reserved.map(({ runId, nodeId, token }) => ({ runId, nodeId, token })),
    stops: stops.map(stopOf),
  };
}

export function listOf({
  version,
  stops,
}: {
  readonly version: number;
  readonly stops: readonly StoredListed[];
}): StopList {
  return { version, stops: stops.map((stop) => ({ ...stop, requester: requesterOf(stop.requester) })) };
}

/** The part that all answers share. */
export function answered({ version, snapshot }: Answer): { version: number; snapshot: Snapshot | undefined } {
  return { version, snapshot: snapshot && snapshotOf(snapshot) };
}

export type ClaimAnswered = Answer &
  (
    | { kind: 'granted'; generation: number; listSince: number; epilogues: readonly ReservedEpilogue[] }
    | { kind: 'busy' | 'not-quiet'; now: number }
    | { kind: 'duplicate'; run: Sparse<StoredRun> }
    | { kind: 'stopped'; stops: readonly StoredStop[]; now: number }
  );

export function claimAnswer(answer: ClaimAnswered): ClaimAnswer {
  const { version, snapshot } = answered(answer);
  switch (answer.kind) {
    case 'granted': {
      const { kind, generation, listSince, epilogues } = answer;
      return { kind, generation, listSince, epilogues, version, snapshot };
    }
    case 'duplicate':
      return { kind: answer.kind, run: runOf(answer.run), version, snapshot };
    case 'stopped': {
      // Stops of all sessions and claims are never under way at once: one counter is the other's too.
      const { kind, stops, now } = answer;
      return { kind, stops: stops.map(stopOf), now, listNow: now, version, snapshot };
    }
    default: {
      const { kind, now } = answer;
      return { kind, now, listNow: now, version, snapshot: snapshot as Snapshot };
    }
  }
}

export type StopAnswered = Answer & {
  readonly number?: number;
  readonly runs: readonly (Omit<StoppedRun, 'run'> & { readonly run?: Sparse<StoredRun> })[];
  readonly epilogues: readonly ReservedEpilogue[];
};

export function stopAnswer(answer: StopAnswered): StopAnswer {
  const runs = answer.runs.map(({ runId, found, run }) => ({ runId, found, run: run && runOf(run) }));
  return { number: answer.number, runs, epilogues: answer.epilogues, ...answered(answer) };
}

export type EndAnswered = Answer &
  (
    | { readonly kind: 'ended'; readonly run?: Sparse<StoredRun> }
    | { readonly kind: 'stopping'; readonly run: Sparse<StoredRun>; readonly epilogue?: number }
  );

export function endAnswer(answer: EndAnswered): EndAnswer {
  if (answer.kind === 'ended') return { kind: 'ended', run: answer.run && runOf(answer.run), ...answered(answer) };
  return { kind: 'stopping', run: runOf(answer.run), epilogue: answer.epilogue, ...answered(answer) };
}
