import type {
  AbortedBeforeStart,
  AbortReason,
  Duplicate,
  Outcome,
  Rejected,
  SavedState,
  WhenQuietOptions,
} from '../index.js';
import type { StreamItem, SubscribeOptions } from '../streams/index.js';
import type { OpenApproval } from './approvals.js';
import type { AgentEvent, Finish } from './event.js';
import type { Message } from './message.js';

/** What a send, or a run by its id, still has to save. */
export interface Saving {
  /**
   * Waits until the run has ended and what was said in it is saved. It never rejects, and settles in any case: a history
   * that hangs is cut off.
   *
   * @param options - `timeoutMs`: how long to wait at most, in ms; by default until the run has ended, and its grace
   * @returns what became of it. `how`: `whole`, or `cut` or `failed` for what there was
   */
  whenSaved(options?: WhenQuietOptions): Promise<SavedState>;
}

/** The message was taken. */
export interface Sent extends Saving {
  /**
   * `started`: a turn of it runs. `queued`: it waits. `steered`: a turn that was there has taken it. `duplicate`: it was
   * sent before.
   */
  readonly status: 'started' | 'queued' | 'steered' | 'duplicate';
  /** The run whose turn it is. */
  readonly runId: string;
  /**
   * What the turn says: all that is kept of it, and then live until its end.
   *
   * @param options - `after`: only what comes behind this number; `signal`: stops reading; `requester`: who reads
   * @returns the items; `undefined` if the run is not on this node, not known any more, or not the requester's to read
   */
  events(options?: SubscribeOptions): AsyncIterable<StreamItem<AgentEvent>> | undefined;
  /** How the run ends; it never rejects. One that waited may turn out to be rejected, or a duplicate. */
  readonly outcome: Promise<Outcome<Finish> | Rejected | Duplicate<Finish>>;
}

/** The turn was over before it began. What was said is saved all the same. */
export interface AbortedSend extends AbortedBeforeStart, Saving {}

/** What `send` answers. */
export type SendResult = Sent | AbortedSend | Rejected;

/** What became of messages that steer. */
export interface SteerResult {
  /**
   * `applied`: the turn has taken them. `kept`: the turn has not begun, and starts with them. `enqueued`: the turn takes
   * none any more, and they are the next turn of its session. `stale`: there is no such turn here that the requester may
   * steer, and nothing was taken.
   */
  readonly status: 'applied' | 'kept' | 'enqueued' | 'stale';
  /** The run whose turn has them; absent for `stale`. */
  readonly runId?: string;
}

/** A message as it is shown, and the turn that it belongs to. */
export interface ShownMessage extends Message {
  /** The run of its turn. */
  readonly runId: string;
  /**
   * What the turn is: `queued` waits, `open` is under way or was lost with its process, `whole` was ended by the agent,
   * `cut` by a stop, `failed` by an error.
   */
  readonly state: 'queued' | 'open' | 'whole' | 'cut' | 'failed';
  /** Why it was cut. */
  readonly reason?: AbortReason;
}

/** A turn that is under way on this node. */
export interface ActiveTurn {
  /** Its run. */
  readonly runId: string;
  /** The run's generation, 0 while it waits. */
  readonly generation: number;
  /** The number of the newest event. Subscribe with `after: 0` to show the answer so far. */
  readonly seq: number;
}

/** What `messages` answers. */
export interface SessionMessages {
  /** What was said, in order. The answer of a turn under way is in its events. */
  readonly messages: readonly ShownMessage[];
  /** The turns that run or wait on this node, in the order of their starts. */
  readonly active: readonly ActiveTurn[];
  /** The questions that wait for a person. */
  readonly approvals: readonly OpenApproval[];
}
