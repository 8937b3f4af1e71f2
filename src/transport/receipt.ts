import type { AbortReason, AbortResult, QuietReport, Receipt, Recorded, RunReport } from '../index.js';

/** What a client may know of a stop: nothing of other people's runs, of nodes, of errors, or of who asked. */
export interface PublicReceipt {
  /** What the stop found. What is forbidden looks as if it were not there. */
  readonly result: Exclude<AbortResult, 'forbidden'>;
  /** The runs that it concerns. */
  readonly runIds: readonly string[];
  /** Those of them that were still queued. */
  readonly queuedRunIds: readonly string[];
  /** How far the stop was recorded; absent if nothing was stopped. */
  readonly recorded?: Recorded;
  /** Why they were stopped. */
  readonly reason: AbortReason;
}

/** What became of the runs that were stopped, for a client. */
export interface PublicReport {
  /** True if every run is quiet. */
  readonly quiet: boolean;
  /** Since the stop, in ms. */
  readonly elapsedMs: number;
  /** One report for each run and each of its descendants. */
  readonly runs: readonly Omit<RunReport, 'nodeId' | 'error'>[];
}

/**
 * A receipt for a client. A stop that was refused looks as one that found nothing: a stranger learns nothing from it.
 *
 * @param receipt - what `abort` answered
 * @returns plain data, without requester, detail and nodes
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 * import { publicReceipt } from 'runfence/http';
 *
 * const control = createRunControl();
 * const receipt = await control.abort({ sessionKey: 'chat-1' }, { requester: { userId: 'ada' } });
 * console.assert(publicReceipt(receipt).result === 'nothing-running');
 * ```
 */
export function publicReceipt(receipt: Receipt): PublicReceipt {
  const { result, runIds, queuedRunIds, recorded, reason } = receipt;
  if (result === 'forbidden' || result === 'nothing-running') {
    return { result: 'nothing-running', runIds: [], queuedRunIds: [], reason };
  }
  return { result, runIds: [...runIds], queuedRunIds: [...queuedRunIds], recorded, reason };
}

export function publicReport({ quiet, elapsedMs, runs }: QuietReport): PublicReport {
  return { quiet, elapsedMs, runs: runs.map(({ nodeId: _, error: __, ...report }) => report) };
}
