import type { Awaitable } from '../internal/awaitable.js';
import type { Cut } from './cut.js';
import type { Entry } from './entry.js';
import type { Recorded } from './receipt.js';
import type { RemoteRun } from './remote-run.js';
import type { AbortRequest } from './request.js';

/** Records what an abort cut, and reaches the runs of other nodes. */
export interface StopRecorder {
  /** @param unsettled - runs that were asked for too, and are stopping or ending already: the record decides about them */
  record(cut: Cut, request: AbortRequest, unsettled: readonly Entry[]): Awaitable<StopRecord>;
  /**
   * Records a cut that nobody asked for by a selector.
   *
   * @param recorded - those of its entries that the record knows to be stopped
   */
  recordOwn(cut: Cut, recorded: ReadonlySet<Entry>): Awaitable<Recorded>;
}

/** What recording a stop came to. */
export interface StopRecord {
  readonly recorded: Recorded;
  /** Of the unsettled ones, those that this stop was the first to stop after all. */
  readonly stopped: readonly Entry[];
  /** Runs of other nodes that this stop was the first to stop. */
  readonly elsewhere: readonly RemoteRun[];
  /** Runs of other nodes that an earlier stop has stopped, and that are not quiet. */
  readonly stopping: readonly RemoteRun[];
  /** Others that matched were over. */
  readonly ended: boolean;
  readonly forbidden: boolean;
  readonly stale: boolean;
}
