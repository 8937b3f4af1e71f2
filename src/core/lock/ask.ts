import type { LockAnswer, LockRequest } from '../backend/port.js';
import type { Awaitable } from '../internal/awaitable.js';
import type { LockContext } from './context.js';
import type { LockingRun } from './locking-run.js';

/**
 * One question for a session's lock, asked now.
 *
 * @param run - the holder to be; one of another session is no run to the backend
 * @param reserved - the token that was reserved for its epilogue
 */
export function lockRequest(
  { runtime }: LockContext,
  sessionKey: string,
  run: LockingRun | undefined,
  reserved: number | undefined,
): LockRequest {
  return {
    sessionKey,
    nodeId: runtime.nodeId,
    run: run?.sessionKey === sessionKey ? { runId: run.id, generation: run.generation } : undefined,
    reserved,
    since: runtime.clock.now(),
  };
}

/**
 * Asks the backend for a session's lock, once.
 *
 * @param late - told of an answer that came after the bound: nobody waits for it any more
 */
export function askForLock(
  { operations }: LockContext,
  request: LockRequest,
  late: (answer: LockAnswer) => void,
): Awaitable<LockAnswer> {
  return operations.sendRequest(request, operations.lock, late);
}
