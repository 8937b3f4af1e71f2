import type { StoredRun } from '../backend/port.js';
import type { Awaitable } from '../internal/awaitable.js';
import type { Cut } from './cut.js';
import type { Entry } from './entry.js';
import type { Recorded, RemoteRun } from './receipt.js';
import type { AbortRequest } from './request.js';

/** Records what an abort cut, and reaches the runs of other nodes. */
export interface StopRecorder {
  /** @param stopping - runs that were asked for too, and were stopped before: whether the backend knows is not known */
  record(cut: Cut, request: AbortRequest | undefined, stopping: readonly Entry[]): Awaitable<Recorded>;
  /** The runs of other nodes, as they are before the stop frees anything; `undefined` if nobody can say. */
  lookElsewhere(request: AbortRequest): Awaitable<readonly StoredRun[] | undefined>;
  /** Authorises those that were seen, and stops them by id. */
  stopElsewhere(request: AbortRequest, seen: Awaitable<readonly StoredRun[] | undefined>): Awaitable<Elsewhere>;
}

export interface Elsewhere {
  readonly stopped: readonly RemoteRun[];
  readonly ended: boolean;
  readonly forbidden: boolean;
  readonly stale: boolean;
  readonly isUnreachable: boolean;
}
