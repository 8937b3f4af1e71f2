import type { LockAnswer, LockRequest } from '../backend/port.js';
import { type Awaitable, chain } from '../internal/awaitable.js';
import type { LockContext } from './context.js';
import type { LockingRun } from './locking-run.js';

/** What the backend said, and when it was asked, in ms since the epoch. */
export interface Asked {
  readonly answer: LockAnswer;
  readonly since: number;
}

/**
 * Asks the backend for a session's lock, once.
 *
 * @param run - the holder to be; one of another session is no run to the backend
 * @param reserved - the token that was reserved for its epilogue
 * @param late - told of a token that was granted after the bound: nobody waits for it any more
 */
export function askForLock(
  { operations, runtime }: LockContext,
  sessionKey: string,
  run: LockingRun | undefined,
  reserved: number | undefined,
  late: (token: number) => void,
): Awaitable<Asked> {
  const since = runtime.clock.now();
  const request: LockRequest = {
    sessionKey,
    nodeId: runtime.nodeId,
    run: run?.sessionKey === sessionKey ? { runId: run.id, generation: run.generation } : undefined,
    reserved,
    since,
  };
  const answer = operations.send(
    sessionKey,
    () => operations.backend.lock(request),
    (given) => {
      if (given.kind === 'granted') late(given.token);
    },
  );
  return chain(answer, (given) => ({ answer: given, since }));
}
