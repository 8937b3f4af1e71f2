import { checkObject, keysOf, waitMs } from '../internal/validate.js';
import type { NodeContext } from '../node-context.js';
import type { Requester } from '../principal.js';
import type { AbortReason } from '../stop/reason.js';
import type { EpilogueState, LockState, SavedState } from '../stop/states.js';
import { longestGrace, type Observed, whenAll } from './observed.js';

/**
 * What an abort found. `aborted`: it stopped something. `already-stopping`: it stopped nothing new, and what matched is
 * stopping since an earlier stop: the receipt waits for it. `nothing-running`: nothing matched. `already-ended`: the run
 * that was named is over. `stale-target`: the generation that was named is not the run's. `forbidden`: all that matched is
 * what the requester may not stop.
 */
export type AbortResult =
  | 'aborted'
  | 'already-stopping'
  | 'nothing-running'
  | 'already-ended'
  | 'stale-target'
  | 'forbidden';

/** How far the stop was recorded; `unreachable`: the local stop stands, the backend did not take it. */
export type Recorded = 'local' | 'cluster' | 'unreachable';

/** What an abort reports. It is for the host, and truthful: adapters answer strangers. */
export interface Receipt {
  /** What the abort found. */
  readonly result: AbortResult;
  /** The runs that matched and are not quiet, queued ones first; for `already-ended` the run that was named. */
  readonly runIds: readonly string[];
  /** Those of them that were still queued. */
  readonly queuedRunIds: readonly string[];
  /** How far the stop was recorded. */
  readonly recorded: Recorded;
  /** Why the runs were stopped. */
  readonly reason: AbortReason;
  /** The host's own word beside the reason, as the stop gave it. */
  readonly detail: string | undefined;
  /** Who asked; `undefined` is the host itself. */
  readonly requester: Requester | undefined;
  /**
   * Waits until all these runs and their descendants are quiet, and reports what was seen.
   *
   * @param options - `timeoutMs`: how long to wait at most, in ms; by default the longest grace of the runs
   * @returns what was seen; a wait that was over first is no error: `quiet` is false, and the leftovers are named
   * @throws `INVALID_OPTIONS`
   */
  whenQuiet(options?: WhenQuietOptions): Promise<QuietReport>;
  /**
   * Waits until what these runs and their descendants had to save is saved: earlier than quiet, for a deaf tool does not
   * hold it up. It always settles.
   *
   * @param options - `timeoutMs`: how long to wait at most, in ms; by default the longest grace of the runs
   * @returns by run id, what became of it
   * @throws `INVALID_OPTIONS`
   */
  whenSaved(options?: WhenQuietOptions): Promise<Readonly<Record<string, SavedState>>>;
}

/** How long to wait for quiet. */
export interface WhenQuietOptions {
  /** In ms. 0, a negative number and NaN do not wait, `Infinity` waits for ever. */
  readonly timeoutMs?: number | undefined;
}

/** What became of the runs that an abort stopped. */
export interface QuietReport {
  /** True if every run is quiet. */
  readonly quiet: boolean;
  /** Since the abort, in ms. */
  readonly elapsedMs: number;
  /** One report for each run and each of its descendants. */
  readonly runs: readonly RunReport[];
}

/** What was seen of one aborted run. */
export interface RunReport {
  /** The id of the run. */
  readonly runId: string;
  /** The node that it lives on: one per registry, random. */
  readonly nodeId: string;
  /** `unreported`: the run is on another node, which has not said within the time. */
  readonly state: 'quiet' | 'leftovers' | 'unreported';
  /**
   * Whether what the work awaited could hear of the stop. False: nothing had read the run's signal at the cut while its
   * work went on, so that a model call or a tool of it may go on unseen, also where the state is `quiet`. True: the signal
   * was read, or the work looked whether it is current, or it awaited only what runfence itself tells (children, attached
   * things, locks, a fenced `ReadableStream`), or it made the stop itself before its first `await`, or nothing went on. `undefined`: not known, for a handle
   * of `begin` whose signal nobody has read, and for a run whose node has not said.
   */
  readonly interrupted: boolean | undefined;
  /**
   * `released`: free since the cut or since the critical section in flight ended. `pending`: that
   * section still runs. `revoked`: it ran longer than `writeGraceMs`. `failed`: the backend did not
   * take the release. `none`: the run held no lock.
   */
  readonly lock: LockState;
  /** What became of what it still had to save. */
  readonly epilogue: EpilogueState;
  /**
   * What is still there, by name: `work`, gated functions, attached things, `read`, `commit`, `epilogue`, `defer`; and
   * `backend` if nothing is, and the backend has not said yet how the run ended.
   */
  readonly leftovers: readonly string[];
  /**
   * Gated functions that had started and had not ended at the cut, by name: what they did is not known. They may have
   * taken effect, also where they have ended since and nothing is left of them.
   */
  readonly unknown: readonly string[];
  /** How many effects the fence, the gate and the commit refused since the run ended. */
  readonly fencedEffects: number;
  /** From the cut until quiet, or until now, in ms. */
  readonly elapsedMs: number;
  /** What the work threw after the cut, if it was something else than the abort. */
  readonly error?: unknown;
}

/** Waits for quiet, at most `timeoutMs`, and reports. */
export async function whenQuiet(
  context: NodeContext,
  observed: readonly Observed[],
  since: number,
  options: unknown = {},
): Promise<QuietReport> {
  const given = checkObject('whenQuiet options', options, WAIT_OPTIONS);
  await whenAll(context, 'quiet', observed, waitMs('timeoutMs', given.timeoutMs, longestGrace(observed)));
  const runs = observed.map((one) => one.report());
  const elapsedMs = roundMs(context.clock.monotonic() - since);
  return { quiet: runs.every((run) => run.state === 'quiet'), elapsedMs, runs };
}

/** Waits until all is saved, at most `timeoutMs`, and says what was. */
export async function whenSaved(
  context: NodeContext,
  observed: readonly Observed[],
  options: unknown = {},
): Promise<Readonly<Record<string, SavedState>>> {
  const given = checkObject('whenSaved options', options, WAIT_OPTIONS);
  await whenAll(context, 'saved', observed, waitMs('timeoutMs', given.timeoutMs, longestGrace(observed)));
  return Object.fromEntries(observed.map((one) => [one.id, one.saved ?? TIMED_OUT]));
}

const TIMED_OUT: SavedState = Object.freeze({ state: 'timed-out' });
const WAIT_OPTIONS: ReadonlySet<string> = keysOf<WhenQuietOptions>({ timeoutMs: true });

/** To a microsecond: a receipt is read, and sent as JSON. */
export function roundMs(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
