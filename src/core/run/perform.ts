import { type Awaitable, isThenable, settle } from '../internal/awaitable.js';
import { checkFunction } from '../internal/validate.js';
import type { NodeContext } from '../node-context.js';
import { abortedBeforeStart } from './admission.js';
import type { ManagedRun } from './managed-run.js';
import { neverStarted, type Outcome } from './outcome.js';
import type { Acknowledged, BeginResult, Duplicate, QueueResult, Rejected, RunResult, StartResult } from './results.js';
import type { Run } from './run.js';

/** Calls the work of a run that has started; what it returns or throws ends the run. */
export function perform(run: ManagedRun, work: (run: Run) => unknown): void {
  if (run.isSuspended) {
    void run.whenResumed().then(() => perform(run, work));
    return;
  }
  if (!run.current) {
    run.unwound();
    return;
  }
  run.isCalled = true;
  settle(
    () => run.within(() => work(run)),
    (value) => run.returned(value),
    (error) => run.threw(error),
  );
}

/**
 * `control.run`: settles at the cut, and rejects with the work's own error.
 *
 * @param admit - called in the tick of the call; what it throws rejects
 */
export function runToOutcome<T>(
  runtime: NodeContext,
  admit: () => Awaitable<BeginResult>,
  work: (run: Run) => unknown,
): Promise<RunResult<T>> {
  return new Promise((resolve, reject) => {
    checkFunction('work', work);
    const begun = admit();
    const end = (outcome: Outcome): void => {
      if (outcome.status === 'failed') reject(outcome.error);
      else resolve(outcome as RunResult<T>);
    };
    const go = (result: BeginResult | QueueResult): void => {
      if (result.status === 'started') {
        whenEnded(result.run as ManagedRun, end);
        perform(result.run as ManagedRun, work);
      } else if (result.status === 'queued') {
        const run = result.run as ManagedRun;
        void result.started.then((started) => (started.status === 'aborted' ? whenEnded(run, end) : go(started)));
      } else if (result.status === 'failed') {
        reject(result.error);
      } else if (result.status === 'aborted') {
        resolve(neverStarted(runtime, result) as RunResult<T>);
      } else {
        resolve(result as RunResult<T>);
      }
    };
    if (isThenable(begun)) begun.then(go, reject);
    else go(begun);
  });
}

/** `control.start`: answers at admission; the outcome never rejects. */
export function startToAnswer<T>(begun: BeginResult, work: (run: Run) => unknown): StartResult<T> {
  if (!isAcknowledged(begun)) return notAcknowledged(begun) as StartResult<T>;
  const { status, run } = begun;
  const outcome = outcomeOfBegun(begun);
  whenStarted(begun, (started) => perform(started, work));
  return { status, runId: run.id, outcome } as Acknowledged<T>;
}

/** A run whose caller is told that it runs or waits. */
export type Begun = Extract<BeginResult, { status: 'started' | 'queued' }>;

export function isAcknowledged(begun: BeginResult): begun is Begun {
  return begun.status === 'queued' || (begun.status === 'started' && (begun.run as ManagedRun).isLive);
}

/** Also for a run that was cut on the way to its caller: its work is never called, so nothing of it has to unwind. */
export function notAcknowledged(begun: BeginResult): BeginResult {
  if (begun.status !== 'started') return begun;
  const run = begun.run as ManagedRun;
  run.unwound();
  return abortedBeforeStart(run);
}

/** How a run ends that was acknowledged; a queued one may still turn out to be none. */
export function outcomeOfBegun(begun: Begun): Promise<Outcome | Duplicate | Rejected> {
  return new Promise((resolve) => {
    const run = begun.run as ManagedRun;
    if (begun.status === 'started') {
      whenEnded(run, resolve);
      return;
    }
    void begun.started.then((result) => {
      if (result.status === 'started' || result.status === 'aborted') whenEnded(run, resolve);
      else if (result.status === 'failed') resolve({ status: 'failed', error: result.error });
      else resolve(result);
    });
  });
}

export function whenStarted(begun: Begun, next: (run: ManagedRun) => void): void {
  if (begun.status === 'started') {
    next(begun.run as ManagedRun);
    return;
  }
  void begun.started.then((result) => {
    if (result.status === 'started') next(result.run as ManagedRun);
  });
}

function whenEnded(run: ManagedRun, listener: (outcome: Outcome) => void): void {
  if (run.hasOutcome) listener(run.outcome);
  else run.onEnded(listener);
}
