import type { Requester } from '../principal.js';
import { type AbortReason, abortError, type RunAbortedError } from '../stop/reason.js';

/** What cut a set of runs; they share it. */
export class Stop {
  readonly reason: AbortReason;
  /** By the monotonic clock. */
  readonly at: number;
  readonly requester: Requester | undefined;
  readonly supersededBy: string | undefined;
  /** The host's own word beside the reason; those that are cut with it have it too. */
  readonly detail: string | undefined;
  /** It comes from a signal of the host's, which its work may hold too. */
  comesFromSignal = false;
  #error: RunAbortedError | undefined = undefined;
  #sessionKey: string | undefined = undefined;

  constructor(reason: AbortReason, at: number, requester?: Requester, supersededBy?: string, detail?: string) {
    this.reason = reason;
    this.at = at;
    this.requester = requester;
    this.supersededBy = supersededBy;
    this.detail = detail;
  }

  /** As the children of what it cuts are told. */
  forDependants(): Stop {
    const cascade = new Stop('parent', this.at, this.requester, undefined, this.detail);
    cascade.comesFromSignal = this.comesFromSignal;
    return cascade;
  }

  /**
   * What the signals of a session's runs are aborted with: one error, as signals that follow one signal share its
   * reason. Another session's is another: what a host changes in it does not reach a stranger.
   */
  errorFor(sessionKey: string): RunAbortedError {
    if (this.#error === undefined || this.#sessionKey !== sessionKey) {
      this.#error = abortError(this.reason);
      this.#sessionKey = sessionKey;
    }
    return this.#error;
  }
}
