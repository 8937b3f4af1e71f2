import { Deferred, follow, settle } from '../internal/awaitable.js';
import type { Watcher } from '../lock/locking-run.js';
import { saysAborted } from '../stop/reason.js';
import type { FencedRun } from './fenced-run.js';

/**
 * An item that looks at the run when it is read: between the source's fulfilment and the consumer's
 * next step the run may have been cut.
 */
class FencedItem<T> {
  private state: 'unread' | 'delivered' | 'dropped' = 'unread';

  private readonly fence: FencedIterator<T>;
  private readonly item: T;

  constructor(fence: FencedIterator<T>, item: T) {
    this.fence = fence;
    this.item = item;
  }

  get done(): boolean {
    return this.look() === 'dropped';
  }

  get value(): T | undefined {
    return this.look() === 'dropped' ? undefined : this.item;
  }

  private look(): 'delivered' | 'dropped' {
    if (this.state === 'unread') {
      this.state = this.fence.run.current ? 'delivered' : 'dropped';
      if (this.state === 'dropped') this.fence.run.refused();
    }
    if (this.state === 'dropped' && !this.fence.endsQuietly) throw this.fence.run.closedError();
    return this.state;
  }
}

/** A source behind the fence. It hangs on the run's list of watchers, so that a cut wakes a stuck pull. */
export class FencedIterator<T> implements AsyncIterableIterator<T>, Watcher {
  nextWatcher: Watcher | undefined = undefined;
  previousWatcher: Watcher | undefined = undefined;
  readonly run: FencedRun;
  readonly endsQuietly: boolean;
  private readonly source: AsyncIterator<T>;
  private isOver = false;
  /** Over by itself or by its consumer, not by the cut. */
  private hasFinished = false;
  private isAsking = false;
  private onAnswered: (() => void) | undefined = undefined;
  private pull: Pull<T> | undefined = undefined;
  /** Sources need not take a second pull before the first is answered: one at a time, in order. */
  private readonly waiting: Pull<T>[] = [];
  private readonly onItem: (item: IteratorResult<T>) => void;
  private readonly onFailure: (error: unknown) => void;

  constructor(run: FencedRun, source: AsyncIterator<T>, atAbort: 'reject' | 'end') {
    this.run = run;
    this.source = source;
    this.endsQuietly = atAbort === 'end';
    this.onItem = (item) => this.deliver(item);
    this.onFailure = (error) => this.fail(error);
    if (run.current) run.watch(this);
    else this.closed();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    const pull: Pull<T> = new Deferred();
    if (this.hasFinished) pull.resolve(end());
    else if (this.isOver || !(this.run.current || this.run.isSuspended)) this.close(pull);
    else if (this.pull === undefined) this.start(pull);
    else this.waiting.push(pull);
    return pull.promise;
  }

  async return(value?: unknown): Promise<IteratorResult<T>> {
    const wasOver = this.isOver;
    this.finish();
    for (const pull of this.takePulls()) pull.resolve(end());
    if (!wasOver) await this.source.return?.(value);
    return { done: true, value };
  }

  async throw(error?: unknown): Promise<never> {
    await this.return();
    throw error;
  }

  /** The cut, or the run's end: the pulls in flight are woken, and the producer told once. */
  closed(): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const pull of this.takePulls()) this.close(pull);
    const leftover = this.run.beginWork('source');
    const gone = (): void => this.run.endWork(leftover);
    let isTold = true;
    settle(
      () => {
        const stop: unknown = this.source.return;
        isTold = typeof stop === 'function';
        return isTold ? Reflect.apply(stop as () => unknown, this.source, []) : undefined;
      },
      () => {
        // It cannot be told: what it still does ends with the pull in flight.
        if (!isTold && this.isAsking) this.onAnswered = gone;
        else gone();
      },
      (error) => {
        reportLate(this.run, error);
        gone();
      },
    );
  }

  private start(pull: Pull<T>): void {
    this.pull = pull;
    this.isAsking = true;
    try {
      void follow(this.source.next(), this.onItem, this.onFailure);
    } catch (error) {
      this.fail(error);
    }
  }

  private deliver(item: IteratorResult<T>): void {
    if (this.run.isSuspended && !this.isOver) {
      void this.run.whenResumed().then(() => this.deliver(item));
      return;
    }
    this.isAsking = false;
    this.onAnswered?.();
    try {
      if (item.done === true) {
        this.finish();
        const [pull, ...behind] = this.takePulls();
        pull?.resolve(item);
        for (const other of behind) other.resolve(end());
      } else if (this.run.current && !this.isOver) {
        this.answer(new FencedItem(this, item.value));
      } else if (!this.hasFinished) {
        this.run.refused();
      }
    } catch (error) {
      // An item may refuse to be read: one of a fence inside this one does so once its run is cut.
      this.fail(error);
    }
  }

  private answer(item: FencedItem<T>): void {
    const { pull } = this;
    this.pull = undefined;
    pull?.resolve(item as unknown as IteratorResult<T>);
    const next = this.waiting.shift();
    if (next !== undefined) this.start(next);
  }

  private fail(error: unknown): void {
    this.isAsking = false;
    this.onAnswered?.();
    const wasOver = this.isOver;
    this.finish();
    const [pull, ...behind] = this.takePulls();
    pull?.reject(error);
    for (const other of behind) other.resolve(end());
    if (wasOver) reportLate(this.run, error);
  }

  private close(pull: Pull<T>): void {
    if (this.endsQuietly) pull.resolve(end());
    else pull.refuse(this.run.closedError());
  }

  /** The source is over, by itself or by its consumer: the cut finds nothing to do here. */
  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.hasFinished = true;
    this.run.unwatch(this);
  }

  private takePulls(): Pull<T>[] {
    if (this.pull === undefined) return [];
    const pulls = [this.pull, ...this.waiting.splice(0)];
    this.pull = undefined;
    return pulls;
  }
}

type Pull<T> = Deferred<IteratorResult<T>>;

function end<T>(): IteratorResult<T> {
  return { done: true, value: undefined };
}

export function reportLate(run: FencedRun, error: unknown): void {
  if (!saysAborted(error)) run.onError(error);
}
