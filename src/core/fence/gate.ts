import { type Awaitable, Deferred, settle } from '../internal/awaitable.js';
import { RunfenceError } from '../internal/errors.js';
import { checkKey, checkObject, checkTool } from '../internal/validate.js';
import type { Leftover, Watcher } from '../lock/locking-run.js';
import { abortError, isRunAbortedError } from '../stop/reason.js';
import type { FencedRun } from './fenced-run.js';
import { reportLate } from './iterable.js';
import { discard, givesItems } from './sources.js';

const NOT_GATED =
  'The gated function gave a generator or a stream, and a gate guards no items: use run.gateStream for the function.';

const KNOWN: ReadonlySet<string> = new Set(['name']);

export function gate<A extends readonly unknown[], R>(
  run: FencedRun,
  tool: (...args: A) => Awaitable<R>,
  options: { readonly name?: string },
): (...args: A) => Promise<R> {
  checkTool('gate', tool);
  const name = toolName(tool, checkObject('gate options', options, KNOWN).name);
  return function (this: unknown, ...args) {
    const call = new GateCall<R>(run, name);
    call.make(() => Reflect.apply(tool, this, args));
    return call.answer.promise;
  };
}

/** What a receipt calls it. */
export function toolName(tool: { readonly name: string }, given: unknown): string {
  if (given === undefined) return tool.name || 'tool';
  checkKey('name', given);
  return given;
}

/** A call of a gated function, from its check until it ends. */
class GateCall<R> implements Watcher {
  nextWatcher: Watcher | undefined = undefined;
  previousWatcher: Watcher | undefined = undefined;
  readonly answer: Deferred<R> = new Deferred();
  private isOver = false;
  /** There once the function was called. */
  private leftover: Leftover | undefined = undefined;

  private readonly run: FencedRun;
  private readonly name: string;

  constructor(run: FencedRun, name: string) {
    this.run = run;
    this.name = name;
  }

  /** Only its check goes on. */
  get isAlone(): boolean {
    return this.leftover === undefined;
  }

  make(call: () => Awaitable<R>): void {
    if (this.run.isSuspended) {
      void this.run.whenResumed().then(() => this.make(call));
      return;
    }
    if (!this.run.current) {
      this.closed(this.run.closedError());
      return;
    }
    // Before the check and the call: a cut may come during both, and a tool may abort its own run in its synchronous part.
    this.run.watch(this);
    settle(
      () => this.run.confirm(),
      (stands) => {
        if (stands && this.run.current) {
          this.start(call);
        } else if (stands && this.run.isSuspended) {
          // The answer came when the lease might have ended: it is asked again once that is known.
          this.run.unwatch(this);
          this.make(call);
        }
      },
      (error) => this.finish(() => this.answer.reject(error)),
    );
  }

  closed(error: RunfenceError): void {
    this.isOver = true;
    const started = this.leftover !== undefined;
    if (started) this.run.cutShort(this.name);
    else this.run.refused();
    this.answer.refuse(gateError(error, started));
  }

  private start(call: () => Awaitable<R>): void {
    const leftover = this.run.beginWork(this.name);
    this.leftover = leftover;
    const gone = (): void => this.run.endWork(leftover);
    let unread: unknown;
    settle(
      () => {
        const value = this.run.within(call);
        if (!givesItems(value)) return value;
        unread = value;
        throw new RunfenceError('STREAM_NOT_GATED', NOT_GATED);
      },
      (value) => {
        this.finish(() => this.answer.resolve(value));
        gone();
      },
      (error) => {
        if (this.isOver) reportLate(this.run, error);
        this.finish(() => this.answer.reject(error));
        settle(
          () => discard(unread),
          gone,
          (failure) => {
            reportLate(this.run, failure, true);
            gone();
          },
        );
      },
    );
  }

  /** After the cut the caller has its answer already. */
  private finish(answer: () => void): void {
    if (this.isOver) return;
    this.isOver = true;
    this.run.unwatch(this);
    answer();
  }
}

/** An error of its own for each call: `started` differs, and callers may add to it. */
export function gateError(error: RunfenceError, started: boolean): RunfenceError {
  const own = isRunAbortedError(error) ? abortError(error.reason) : error;
  return Object.assign(own, { started });
}
