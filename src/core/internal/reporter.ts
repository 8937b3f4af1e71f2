import { follow, isThenable } from './awaitable.js';

/** What an error without a caller belongs to. */
export interface ErrorContext {
  /** The session; `undefined` if only the run is known, or it has none. */
  readonly sessionKey: string | undefined;
  /** The id of the run; `undefined` if it is the session's, or of several of its runs. */
  readonly runId: string | undefined;
}

/**
 * Receives what has no caller to go to: errors of listeners, of late work, of the backend after a stop. The second
 * argument says which session and run the error belongs to; it is absent for one that belongs to none.
 */
export type OnError = (error: unknown, about?: ErrorContext) => void;

/** Tells `onError`. `about` is whatever names a session or a run: a run, a request, an event. Never throws. */
export type Reporter = (
  error: unknown,
  about?: { readonly sessionKey?: string | undefined; readonly runId?: string | undefined },
) => void;

/** A reporter for what the host gave, or for nobody. */
export function guardedReporter(onError: OnError | undefined): Reporter {
  if (onError === undefined) return () => {};
  return (error, about = {}) => {
    try {
      const { sessionKey, runId } = about;
      const isOfNone = sessionKey === undefined && runId === undefined;
      const told: unknown = isOfNone ? onError(error) : onError(error, { sessionKey, runId });
      if (isThenable(told)) void follow(told, undefined, () => {});
    } catch {
      // The last reporter has nobody left to report to, and must not break the run it reports on.
    }
  };
}
