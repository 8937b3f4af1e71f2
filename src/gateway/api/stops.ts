import type { SessionParams } from './sessions.js';

/** What `chat.abort` takes. */
export interface ChatAbortParams {
  /** The client's key of the session. */
  readonly sessionKey: string;
  /** Only this run of it. */
  readonly runId?: string | undefined;
  /** Only these runs of it. */
  readonly runIds?: readonly string[] | undefined;
  /** For an admin: the `userId` whose session it is. */
  readonly owner?: string | undefined;
}

/** What `sessions.abort` takes. */
export interface SessionsAbortParams extends SessionParams {
  /** Only this run of it. */
  readonly runId?: string | undefined;
  /** Only these runs of it. */
  readonly runIds?: readonly string[] | undefined;
  /** `keep`: what is queued stays so. */
  readonly queued?: 'drop' | 'keep' | undefined;
}

/** What a stop answers. What is somebody else's looks as if it were not there. */
export interface AbortAnswer {
  /** The stop was taken. */
  readonly ok: true;
  /** Whether it has stopped something. */
  readonly aborted: boolean;
  /** The runs that it has stopped, the queued ones first. */
  readonly runIds: readonly string[];
}
