import { type Awaitable, Deferred } from '../internal/awaitable.js';
import { isRunfenceError } from '../internal/errors.js';
import { checkFunction, checkObject, waitMs } from '../internal/validate.js';
import type { CommitContext, HeldGrant } from '../lock/grant.js';
import type { SessionLock } from '../lock/session-lock.js';
import type { FencedRun } from './fenced-run.js';

const KNOWN: ReadonlySet<string> = new Set(['timeoutMs']);

/** For how long it waits for the lock; `undefined`: as long as the control says. */
export function lockTimeout(name: string, options: unknown): number | undefined {
  const { timeoutMs } = checkObject(name, options, KNOWN);
  return timeoutMs === undefined ? undefined : waitMs('timeoutMs', timeoutMs, 0);
}

/** Lock, strict check and write in one: the lock's answer is the check, and the write starts in its tick. */
export function commit<T>(
  run: FencedRun,
  locks: SessionLock,
  section: (context: CommitContext) => Awaitable<T>,
  options: unknown,
): Promise<T> {
  checkFunction('section', section);
  const timeoutMs = lockTimeout('commit options', options);
  const written = new Deferred<T>();
  const refuse = (error: unknown): void => {
    const isEnded = isRunfenceError(error, 'RUN_ENDED');
    if (!isEnded && !isRunfenceError(error, 'RUN_ABORTED')) {
      written.reject(error);
      return;
    }
    // A commit that nobody awaited, and that its own run's end refused, is a lost write: it must be heard.
    if (isEnded) run.onError(error);
    run.refused();
    written.refuse(error);
  };
  const write = (): void => {
    if (run.current) {
      const granted = (grant: HeldGrant): void => {
        const failed = (error: unknown): void => {
          // A write that hung was taken from it: the receipt names that, and no process ends of it.
          if (isRunfenceError(error, 'LOCK_LOST')) written.refuse(error);
          else written.reject(error);
        };
        void grant.commitAtOnce(section).then(written.resolve, failed);
      };
      locks.acquireFor(run, timeoutMs, granted, refuse);
    } else {
      refuse(run.closedError());
    }
  };
  if (run.isSuspended) void run.whenResumed().then(write);
  else write();
  return written.promise;
}
