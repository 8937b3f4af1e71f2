import type { Awaitable } from '../internal/awaitable.js';
import { isRunfenceError } from '../internal/errors.js';
import type { CommitContext } from '../lock/grant.js';
import type { SessionLock } from '../lock/session-lock.js';
import type { FencedRun } from './fenced-run.js';

/** Lock, strict check and write in one: the lock's answer is the check, and the write starts in its tick. */
export function commit<T>(
  run: FencedRun,
  locks: SessionLock,
  section: (context: CommitContext) => Awaitable<T>,
  timeoutMs: number | undefined,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const refuse = (error: unknown): void => {
      if (isRunfenceError(error, 'RUN_ABORTED') || isRunfenceError(error, 'RUN_ENDED')) {
        run.refused();
      }
      reject(error);
    };
    if (!run.current) {
      refuse(run.closedError());
      return;
    }
    locks.acquireFor(run, timeoutMs, (grant) => void grant.commitAtOnce(section).then(resolve, reject), refuse);
  });
}
