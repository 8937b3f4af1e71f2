import type { OpenApproval, ShownMessage } from '../../agent/index.js';
import type { AbortReason, Principal, RunStatus } from '../../index.js';

/** Which session. */
export interface SessionParams {
  /** The client's key of the session. */
  readonly key: string;
  /** For an admin: the `userId` whose session it is. */
  readonly owner?: string | undefined;
}

/** What `sessions.list` takes. */
export interface ListParams {
  /** Also runs that are over and still known, and the sessions that the host keeps. */
  readonly includeFinished?: boolean | undefined;
}

/** A run in a list. */
export interface ListedRun {
  /** The run. */
  readonly runId: string;
  /** Its kind. */
  readonly kind: string;
  /** Where it is in its life. */
  readonly status: Exclude<RunStatus, 'failed'> | 'error';
  /** Why it was stopped. */
  readonly reason?: AbortReason;
  /** The run that began it as a child. */
  readonly parentId?: string;
}

/** A session in a list. */
export interface ListedSession {
  /** The client's key of the session. */
  readonly key: string;
  /** For an admin: whose it is. */
  readonly owner?: Principal;
  /** Whether a run of it runs. */
  readonly hasActiveRun: boolean;
  /** Its runs; none of a session that the host keeps and in which nothing is known to have run. */
  readonly runs: readonly ListedRun[];
}

/** What `sessions.get` answers: what a page shows that is loaded. */
export interface SessionAnswer {
  /** The client's key of the session. */
  readonly key: string;
  /** What was said, in order. The answer under way is in the events of its run. */
  readonly messages: readonly Omit<ShownMessage, 'native'>[];
  /** The turns that run or wait: subscribe to get what they say from the beginning. */
  readonly active: readonly {
    /** Its run. */
    readonly runId: string;
    /** The run's generation, 0 while it waits. */
    readonly generation: number;
    /** The number of the newest event. */
    readonly seq: number;
  }[];
  /** The questions that wait for a person. */
  readonly approvals: readonly OpenApproval[];
}

/** A place in what a run says: the `seq` of its last event that is already there. */
export type After =
  | number
  | {
      /** The generation of the run. */
      readonly generation: number;
      /** The number of its last event. */
      readonly seq: number;
    };

/** What `sessions.subscribe` takes. */
export interface SubscribeParams extends SessionParams {
  /** What is already there, by run. Other runs that go on are told from their beginning. */
  readonly after?: Readonly<Record<string, After>> | undefined;
}

/** What `sessions.subscribe` answers. */
export interface Subscribed {
  /** The client's key of the session. */
  readonly key: string;
  /** The runs that are queued, running or stopping. */
  readonly runs: readonly ListedRun[];
}
