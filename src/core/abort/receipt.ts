import type { Runtime } from '../internal/runtime.js';
import { checkObject, waitMs } from '../internal/validate.js';
import type { Requester } from '../principal.js';
import type { Entry } from './entry.js';
import type { AbortReason } from './reason.js';

/**
 * What an abort found. `aborted`: it stopped something. `nothing-running`: nothing matched. `already-ended`: the run
 * that was named is over, or stopping already. `stale-target`: the generation that was named is not the run's.
 * `forbidden`: all that matched is what the requester may not stop.
 */
export type AbortResult = 'aborted' | 'nothing-running' | 'already-ended' | 'stale-target' | 'forbidden';

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
}

/** How long to wait for quiet. */
export interface WhenQuietOptions {
  /** In ms. 0, a negative number and NaN do not wait, `Infinity` waits for ever. */
  readonly timeoutMs?: number;
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

/** What became of the lock of an aborted run; `RunReport.lock` says what each means. */
export type LockState = 'released' | 'pending' | 'revoked' | 'failed' | 'none';

/**
 * What became of the epilogue of an aborted run. `pending`: it waits for a write in flight, or runs. `failed`: it threw.
 * `timed-out`: it took longer than `epilogueMs`. `skipped`: a later run had the lock before it. `none`: none was announced.
 */
export type EpilogueState = 'done' | 'pending' | 'failed' | 'timed-out' | 'skipped' | 'none';

/** What was seen of one aborted run. */
export interface RunReport {
  /** The id of the run. */
  readonly runId: string;
  /** The node that it lives on: one per registry, random. */
  readonly nodeId: string;
  /** `unreported`: the run is on another node, which has not said. */
  readonly state: 'quiet' | 'leftovers' | 'unreported';
  /**
   * `released`: free since the cut or since the critical section in flight ended. `pending`: that
   * section still runs. `revoked`: it ran longer than `writeGraceMs`. `failed`: the backend did not
   * take the release. `none`: the run held no lock.
   */
  readonly lock: LockState;
  /** What became of what it still had to save. */
  readonly epilogue: EpilogueState;
  /** What is still there, by name: `work`, gated functions, attached things, `commit`, `epilogue`, `defer`. */
  readonly leftovers: readonly string[];
  /** How many effects the fence, the gate and the commit refused since the run ended. */
  readonly fencedEffects: number;
  /** From the cut until quiet, or until now, in ms. */
  readonly elapsedMs: number;
  /** What the work threw after the cut, if it was something else than the abort. */
  readonly error?: unknown;
}

/** A run of another node that an abort stopped. */
export interface RemoteRun {
  /** The id of the run. */
  readonly runId: string;
  /** The node that it lives on: one per registry, random. */
  readonly nodeId: string;
}

/** Waits for quiet, at most `timeoutMs`, and reports. */
export async function whenQuiet(
  runtime: Runtime,
  entries: readonly Entry[],
  remote: readonly RemoteRun[],
  since: number,
  options: unknown = {},
): Promise<QuietReport> {
  const given = checkObject('whenQuiet options', options, WHEN_QUIET_OPTIONS);
  const grace = entries.reduce((longest, entry) => Math.max(longest, entry.graceMs), 0);
  const timeoutMs = waitMs('timeoutMs', given.timeoutMs, grace);
  const report = (): QuietReport => {
    const runs = entries.map((entry) => entry.report());
    const elapsedMs = roundMs(runtime.clock.monotonic() - since);
    for (const { runId, nodeId } of remote) runs.push(unreported(runId, nodeId, elapsedMs));
    return { quiet: runs.every((run) => run.state === 'quiet'), elapsedMs, runs };
  };
  const pending = new Set(entries.filter((entry) => !entry.isQuiet));
  if (pending.size === 0 || timeoutMs === 0) return report();
  return new Promise((resolve) => {
    runtime.timers.hold();
    const listeners = new Map<Entry, () => void>();
    const finish = (): void => {
      runtime.timers.unhold();
      runtime.timers.cancel(timer);
      for (const [entry, listener] of listeners) entry.offQuiet(listener);
      resolve(report());
    };
    const timer = runtime.timers.after(timeoutMs, finish);
    for (const entry of pending) {
      const listener = (): void => {
        pending.delete(entry);
        if (pending.size === 0) finish();
      };
      listeners.set(entry, listener);
      entry.onQuiet(listener);
    }
  });
}

const WHEN_QUIET_OPTIONS: ReadonlySet<string> = new Set(['timeoutMs']);

function unreported(runId: string, nodeId: string, elapsedMs: number): RunReport {
  return {
    runId,
    nodeId,
    state: 'unreported',
    lock: 'none',
    epilogue: 'none',
    leftovers: [],
    fencedEffects: 0,
    elapsedMs,
  };
}

/** To a microsecond: a receipt is read, and sent as JSON. */
export function roundMs(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
