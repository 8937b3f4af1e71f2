import { adopt, Deferred, follow, settle } from '../internal/awaitable.js';
import type { RunfenceError } from '../internal/errors.js';
import { checkObject, checkTool, keysOf } from '../internal/validate.js';
import { type AtAbort, checkAtAbort } from './at-abort.js';
import type { GateStreamOptions } from './fence.js';
import type { FencedRun } from './fenced-run.js';
import { gateError, toolName } from './gate.js';
import { FencedIterator } from './iterable.js';
import { type ItemSource, itemsOf } from './sources.js';

const KNOWN: ReadonlySet<string> = keysOf<GateStreamOptions>({ name: true, atAbort: true });

export function gateStream<T>(
  run: FencedRun,
  tool: (...args: readonly unknown[]) => unknown,
  options: unknown,
): (...args: readonly unknown[]) => AsyncIterableIterator<T> {
  checkTool('gateStream', tool);
  const given = checkObject('gateStream options', options, KNOWN);
  const name = toolName(tool, given.name);
  const atAbort = checkAtAbort(given.atAbort) as AtAbort<T>;
  return function (this: unknown, ...args) {
    return new GatedIterator<T>(run, () => Reflect.apply(tool, this, args), name, atAbort);
  };
}

/** A call of a gated generator: a fenced source that its first pull checks and starts. */
class GatedIterator<T> extends FencedIterator<T> {
  constructor(run: FencedRun, tool: () => unknown, name: string, atAbort: AtAbort<T>) {
    super(run, new GatedCall<T>(run, tool), atAbort, name);
  }

  /** No field: a run that is over closes the iterator while it is made. */
  private get call(): GatedCall<T> {
    return this.source as GatedCall<T>;
  }

  override refusal(): RunfenceError {
    return gateError(super.refusal(), this.call.isStarted);
  }

  protected override cutShort(): void {
    if (this.call.isStarted) this.run.cutShort(this.name);
  }

  protected override close(pull: Deferred<IteratorResult<T>>): void {
    this.call.refused();
    super.close(pull);
  }
}

const END: IteratorResult<never> = Object.freeze({ done: true, value: undefined });

/**
 * What a gated call gives. The body of a generator begins with the first pull, not with the call of its function: the
 * function is called then, too, so that check and start are one tick for every kind of function.
 */
class GatedCall<T> implements ItemSource<T> {
  isStarted = false;
  private isStopped = false;
  private isCounted = false;
  private source: ItemSource<T> | undefined = undefined;
  /** Settles when the function has failed, or what it gave after the stop has unwound. */
  private readonly opened: Deferred<unknown> = new Deferred();
  private inFlight: Promise<IteratorResult<T>> | undefined = undefined;

  private readonly run: FencedRun;
  private readonly tool: () => unknown;
  private readonly pull = (): PromiseLike<IteratorResult<T>> => (this.source as ItemSource<T>).next();

  constructor(run: FencedRun, tool: () => unknown) {
    this.run = run;
    this.tool = tool;
  }

  next(): Promise<IteratorResult<T>> {
    if (this.source !== undefined) {
      this.inFlight = adopt(this.run.within(this.pull));
      return this.inFlight;
    }
    const first: Deferred<IteratorResult<T>> = new Deferred();
    this.check(first);
    return first.promise;
  }

  /** The cut, or the consumer's end. What has not started has nothing to unwind. */
  return(value?: unknown): unknown {
    this.isStopped = true;
    if (this.source !== undefined) return this.tell(value);
    return this.isStarted ? this.opened.promise : undefined;
  }

  /** Its run was over before the function was called; counted once a call. */
  refused(): void {
    if (this.isStarted || this.isCounted) return;
    this.isCounted = true;
    this.run.refused();
  }

  private check(first: Deferred<IteratorResult<T>>): void {
    if (this.run.isSuspended && !this.isStopped) {
      void this.run.whenResumed().then(() => this.check(first));
      return;
    }
    if (this.isStopped || !this.run.current) {
      first.resolve(END);
      return;
    }
    settle(
      () => this.run.confirm(),
      (stands) => {
        if (stands && this.run.current && !this.isStopped) this.start(first);
        else if (stands && this.run.isSuspended) this.check(first);
        else first.resolve(END);
      },
      (error) => first.reject(error),
    );
  }

  private start(first: Deferred<IteratorResult<T>>): void {
    this.isStarted = true;
    const failed = (error: unknown): void => {
      this.opened.resolve(undefined);
      first.reject(error);
    };
    settle(
      () => this.run.within(this.tool),
      (given) => {
        try {
          this.source = itemsOf<T>(given, this.run);
          if (this.isStopped) {
            // It comes after the stop: it is told, and never asked.
            this.opened.resolve(this.tell());
            first.resolve(END);
          } else {
            first.resolve(this.next());
          }
        } catch (error) {
          failed(error);
        }
      },
      failed,
    );
  }

  private tell(value?: unknown): unknown {
    const source = this.source as ItemSource<T>;
    if (typeof source.return === 'function') return source.return(value);
    // It cannot be told: what it still does ends with the pull in flight.
    return this.inFlight === undefined ? undefined : follow(this.inFlight, undefined, () => {});
  }
}
