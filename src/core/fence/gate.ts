import { abortError, isRunAbortedError } from '../abort/reason.js';
import { type Awaitable, settle } from '../internal/awaitable.js';
import { type RunfenceError, runEnded } from '../internal/errors.js';
import type { Leftover, Watcher } from '../lock/locking-run.js';
import type { FencedRun } from './fenced-run.js';
import { reportLate } from './iterable.js';

export function gate<A extends readonly unknown[], R>(
  run: FencedRun,
  tool: (...args: A) => Awaitable<R>,
  name: string,
): (...args: A) => Promise<R> {
  return (...args) =>
    new Promise<R>((resolve, reject) => {
      const refuse = (): void => {
        run.refused();
        reject(gateError(run.closedError(), false));
      };
      if (!run.current) {
        refuse();
        return;
      }
      settle(
        () => run.confirm(),
        () => {
          if (run.current) new GateCall(run, name, resolve, reject).start(() => tool(...args));
          else refuse();
        },
        reject,
      );
    });
}

/** A gated function in flight. */
class GateCall<R> implements Watcher {
  nextWatcher: Watcher | undefined = undefined;
  previousWatcher: Watcher | undefined = undefined;
  private isOver = false;
  private readonly leftover: Leftover;

  private readonly run: FencedRun;
  private readonly resolve: (value: R) => void;
  private readonly reject: (error: unknown) => void;

  constructor(run: FencedRun, name: string, resolve: (value: R) => void, reject: (error: unknown) => void) {
    this.run = run;
    this.resolve = resolve;
    this.reject = reject;
    this.leftover = run.beginWork(name);
  }

  start(call: () => Awaitable<R>): void {
    // Before the call: a tool may abort its own run in its synchronous part.
    this.run.watch(this);
    settle(
      call,
      (value) => this.finish(() => this.resolve(value)),
      (error) => {
        if (this.isOver) reportLate(this.run, error);
        this.finish(() => this.reject(error));
      },
    );
  }

  closed(error: RunfenceError): void {
    this.isOver = true;
    this.reject(gateError(error, true));
  }

  private finish(answer: () => void): void {
    if (!this.isOver) {
      this.isOver = true;
      this.run.unwatch(this);
      if (this.run.current) answer();
      else this.reject(gateError(this.run.closedError(), true));
    }
    this.run.endWork(this.leftover);
  }
}

/** An error of its own for each call: `started` differs, and callers may add to it. */
function gateError(error: RunfenceError, started: boolean): RunfenceError {
  const own = isRunAbortedError(error) ? abortError(error.reason) : runEnded();
  return Object.assign(own, { started });
}
