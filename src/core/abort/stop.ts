import type { Requester } from '../principal.js';
import type { AbortReason } from './reason.js';

/** What cut a set of runs; they share it. */
export class Stop {
  readonly reason: AbortReason;
  /** By the monotonic clock. */
  readonly at: number;
  readonly requester: Requester | undefined;
  readonly supersededBy: string | undefined;

  constructor(reason: AbortReason, at: number, requester?: Requester, supersededBy?: string) {
    this.reason = reason;
    this.at = at;
    this.requester = requester;
    this.supersededBy = supersededBy;
  }
}
