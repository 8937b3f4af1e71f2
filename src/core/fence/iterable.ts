import { saysAborted } from '../abort/reason.js';
import { isThenable } from '../internal/awaitable.js';
import type { Watcher } from '../lock/locking-run.js';
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
  private resolve: ((item: IteratorResult<T>) => void) | undefined = undefined;
  private reject: ((error: unknown) => void) | undefined = undefined;
  private last: Promise<unknown> | undefined = undefined;
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
    // Sources need not take a second pull before the first is answered: one at a time, in order.
    if (this.resolve !== undefined) {
      const queued = (this.last as Promise<unknown>).then(
        () => this.next(),
        () => this.next(),
      );
      this.last = queued;
      return queued;
    }
    if (this.hasFinished) return Promise.resolve({ done: true, value: undefined });
    if (this.isOver || !this.run.current) return this.refuse();
    const pull = new Promise<IteratorResult<T>>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      try {
        this.source.next().then(this.onItem, this.onFailure);
      } catch (error) {
        this.fail(error);
      }
    });
    this.last = pull;
    return pull;
  }

  async return(value?: unknown): Promise<IteratorResult<T>> {
    this.finish();
    this.answer()?.resolve({ done: true, value: undefined });
    await this.source.return?.(value);
    return { done: true, value };
  }

  async throw(error?: unknown): Promise<IteratorResult<T>> {
    this.finish();
    if (this.source.throw === undefined) throw error;
    return this.source.throw(error);
  }

  /** The cut, or the run's end: the pull in flight is woken, and the producer told once. */
  closed(): void {
    if (this.isOver) return;
    this.isOver = true;
    const pull = this.answer();
    if (this.endsQuietly) pull?.resolve({ done: true, value: undefined });
    else pull?.reject(this.run.closedError());
    tellProducer(this.run, () => this.source.return?.());
  }

  private deliver(item: IteratorResult<T>): void {
    if (item.done === true) {
      this.finish();
      this.answer()?.resolve(item);
    } else if (this.run.current && !this.isOver) {
      this.answer()?.resolve(new FencedItem(this, item.value) as unknown as IteratorResult<T>);
    } else if (!this.hasFinished) {
      this.run.refused();
    }
  }

  private fail(error: unknown): void {
    const wasClosed = this.isOver;
    this.finish();
    const pull = this.answer();
    if (pull !== undefined) pull.reject(error);
    else if (wasClosed) reportLate(this.run, error);
  }

  private refuse(): Promise<IteratorResult<T>> {
    return this.endsQuietly
      ? Promise.resolve({ done: true, value: undefined })
      : Promise.reject(this.run.closedError());
  }

  /** The source is over, by itself or by its consumer: the cut finds nothing to do here. */
  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.hasFinished = true;
    this.run.unwatch(this);
  }

  private answer(): Pull<T> | undefined {
    const { resolve, reject } = this;
    this.resolve = undefined;
    this.reject = undefined;
    return resolve === undefined || reject === undefined ? undefined : { resolve, reject };
  }
}

interface Pull<T> {
  readonly resolve: (item: IteratorResult<T>) => void;
  readonly reject: (error: unknown) => void;
}

/** Nobody waits for the producer's clean-up; what it throws besides the abort is reported. */
export function tellProducer(run: FencedRun, tell: () => unknown): void {
  try {
    const told = tell();
    if (isThenable(told)) told.then(undefined, (error) => reportLate(run, error));
  } catch (error) {
    reportLate(run, error);
  }
}

export function reportLate(run: FencedRun, error: unknown): void {
  if (!saysAborted(error)) run.onError(error);
}
