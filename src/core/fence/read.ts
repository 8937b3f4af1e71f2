import { type Awaitable, Deferred, settle } from '../internal/awaitable.js';
import type { RunfenceError } from '../internal/errors.js';
import { checkFunction } from '../internal/validate.js';
import type { CommitContext, HeldGrant } from '../lock/grant.js';
import type { Watcher } from '../lock/locking-run.js';
import type { SessionLock } from '../lock/session-lock.js';
import { lockTimeout } from './commit.js';
import type { FencedRun } from './fenced-run.js';
import { reportLate } from './iterable.js';

/** As a commit, but nothing is written: the cut waits for no read, and frees the lock under it. */
export function read<T>(
  run: FencedRun,
  locks: SessionLock,
  reader: (context: CommitContext) => Awaitable<T>,
  options: unknown,
): Promise<T> {
  checkFunction('reader', reader);
  const timeoutMs = lockTimeout('read options', options);
  const call = new ReadCall<T>(run, reader);
  const ask = (): void => {
    if (run.current) {
      const refuse = (error: unknown): void => call.refuse(error);
      locks.acquireFor(run, timeoutMs, (grant) => call.start(grant), refuse);
    } else {
      call.refuse(run.closedError());
    }
  };
  if (run.isSuspended) void run.whenResumed().then(ask);
  else ask();
  return call.answer.promise;
}

/** A read under the lock, from its grant until it ends. */
class ReadCall<T> implements Watcher {
  nextWatcher: Watcher | undefined = undefined;
  previousWatcher: Watcher | undefined = undefined;
  readonly answer: Deferred<T> = new Deferred();
  private isOver = false;

  private readonly run: FencedRun;
  // Its caller hears of the cut by this; what the reader itself awaits has `lost`.
  readonly isAlone = true;
  private readonly reader: (context: CommitContext) => Awaitable<T>;

  constructor(run: FencedRun, reader: (context: CommitContext) => Awaitable<T>) {
    this.run = run;
    this.reader = reader;
  }

  start(grant: HeldGrant): void {
    const { run, reader } = this;
    // Before the call: a reader may abort its own run in its synchronous part.
    run.watch(this);
    const leftover = run.beginWork('read');
    const finish = (answer: () => void): void => {
      if (!this.isOver) {
        this.isOver = true;
        run.unwatch(this);
        // Free before the caller goes on: what it does next may want the lock.
        grant.release();
        answer();
      }
      run.endWork(leftover);
    };
    settle(
      () => reader(grant.context),
      (value) => finish(() => this.answer.resolve(value)),
      (error) => {
        if (this.isOver) reportLate(run, error);
        finish(() => this.answer.reject(error));
      },
    );
  }

  /** The cut takes the lock by itself. */
  closed(error: RunfenceError): void {
    this.isOver = true;
    this.answer.refuse(error);
  }

  /** It was not started. */
  refuse(error: unknown): void {
    if (this.run.isLive) this.answer.reject(error);
    else this.answer.refuse(error);
  }
}
