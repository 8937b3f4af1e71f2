import { Deferred, follow, settle } from '../internal/awaitable.js';
import type { RunfenceError } from '../internal/errors.js';
import type { Watcher } from '../lock/locking-run.js';
import { type AtAbort, beforeCut, type Ending, endingOf } from './at-abort.js';
import type { FencedRun } from './fenced-run.js';
import type { ItemSource } from './sources.js';

/**
 * An item that looks at the run when it is read: between the source's fulfilment and the consumer's
 * next step the run may have been cut.
 */
class FencedItem<T> {
  private state: 'unread' | 'dropped' | 'read' | 'end';
  private item: T | undefined;

  private readonly fence: FencedIterator<T>;

  /** One that is made `dropped` has no item: it is for a pull that the cut has woken. */
  constructor(fence: FencedIterator<T>, state: 'unread' | 'dropped', item?: T) {
    this.fence = fence;
    this.state = state;
    this.item = item;
  }

  get done(): boolean {
    this.look();
    return this.state === 'end';
  }

  get value(): T | undefined {
    this.look();
    return this.item;
  }

  private look(): void {
    if (this.state === 'unread') {
      if (this.fence.run.current) {
        this.state = 'read';
      } else {
        this.state = 'dropped';
        this.item = undefined;
        this.fence.run.refused();
      }
    }
    if (this.state === 'dropped') this.takeEnding();
  }

  /** What the source says at the cut comes in place of the item that was dropped. */
  private takeEnding(): void {
    const ending = this.fence.takeEnding();
    if (ending === 'error') throw this.fence.refusal();
    this.state = ending === 'end' ? 'end' : 'read';
    if (ending !== 'end') this.item = ending.lastItem;
  }
}

/** A source behind the fence. It hangs on the run's list of watchers, so that a cut wakes a stuck pull. */
export class FencedIterator<T> implements AsyncIterableIterator<T>, Watcher {
  nextWatcher: Watcher | undefined = undefined;
  previousWatcher: Watcher | undefined = undefined;
  readonly run: FencedRun;
  protected readonly source: ItemSource<T>;
  /** What a receipt calls it. */
  protected readonly name: string;
  private readonly atAbort: AtAbort<T>;
  /** `closing`: at the cut, while the last item is asked for. `finished`: over by itself or by its consumer. */
  private state: 'open' | 'closing' | 'closed' | 'finished' = 'open';
  /** An item in it is taken once. */
  private ending: Ending<T>;
  private isAsking = false;
  private onAnswered: (() => void) | undefined = undefined;
  private pull: Pull<T> | undefined = undefined;
  /** Sources need not take a second pull before the first is answered: one at a time, in order. */
  private readonly waiting: Pull<T>[] = [];
  private readonly onItem: (item: IteratorResult<T>) => void;
  private readonly onFailure: (error: unknown) => void;

  constructor(run: FencedRun, source: ItemSource<T>, atAbort: AtAbort<T>, name = 'source') {
    this.run = run;
    this.source = source;
    this.name = name;
    this.atAbort = atAbort;
    this.ending = beforeCut(atAbort);
    this.onItem = (item) => this.deliver(item);
    this.onFailure = (error) => this.fail(error);
    if (run.current || run.isSuspended) run.watch(this);
    else this.closed();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    const pull: Pull<T> = new Deferred();
    if (this.state === 'open' && !this.closeIfOver()) {
      if (this.pull === undefined) this.start(pull);
      else this.waiting.push(pull);
    } else if (this.state === 'finished') {
      pull.resolve(end());
    } else if (this.state === 'closed') {
      this.close(pull);
    } else {
      // Read by the function that gives the last item: behind all who have waited for it.
      this.waiting.push(pull);
    }
    return pull.promise;
  }

  async return(value?: unknown): Promise<IteratorResult<T>> {
    const wasOpen = this.state === 'open';
    this.finish();
    // Whoever gives up wants no last item.
    if (this.state === 'closing' || typeof this.ending === 'object') this.ending = 'end';
    for (const pull of this.takePulls()) pull.resolve(end());
    if (wasOpen) await new Promise<void>((resolve, reject) => this.tell([value], resolve, reject));
    return { done: true, value };
  }

  async throw(error?: unknown): Promise<never> {
    await this.return();
    throw error;
  }

  /** The cut, or the run's end: the pulls in flight are woken, and the producer told once. */
  closed(): void {
    if (this.state !== 'open') return;
    this.state = 'closing';
    this.cutShort();
    const ending = endingOf(this.run, this.atAbort, this.run.closedError());
    if (this.ending !== 'end') this.ending = ending;
    this.state = 'closed';
    for (const pull of this.takePulls()) this.close(pull);
    this.tell(
      [],
      () => {},
      (error) => reportLate(this.run, error, true),
    );
  }

  /** What is said instead of an item that is not delivered. The last item is for the first that comes for it. */
  takeEnding(): Ending<T> {
    if (this.state === 'open') this.closeIfOver();
    const { ending } = this;
    if (typeof ending === 'object') this.ending = 'end';
    return ending;
  }

  /** A listener of another run that the same stop has cut may read before this one is told. */
  private closeIfOver(): boolean {
    if (this.run.current || this.run.isSuspended) return false;
    this.run.unwatch(this);
    this.closed();
    return true;
  }

  /** It was open at the cut. */
  protected cutShort(): void {}

  /** What a reader gets who comes after the end of the run. */
  refusal(): RunfenceError {
    return this.run.closedError();
  }

  /** The producer is a leftover, by name, until it has unwound: also where its consumer has had enough before the cut. */
  private tell(args: readonly unknown[], told: () => void, failed: (error: unknown) => void): void {
    const leftover = this.run.beginWork(this.name);
    const gone = (): void => this.run.endWork(leftover);
    let isTold = true;
    settle(
      () => {
        const stop: unknown = this.source.return;
        isTold = typeof stop === 'function';
        return isTold ? Reflect.apply(stop as () => unknown, this.source, args) : undefined;
      },
      () => {
        told();
        // It cannot be told: what it still does ends with the pull in flight.
        if (!isTold && this.isAsking) this.onAnswered = gone;
        else gone();
      },
      (error) => {
        failed(error);
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
    if (this.run.isSuspended && this.state === 'open') {
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
      } else if (this.run.current && this.state === 'open') {
        this.answer(new FencedItem(this, 'unread', item.value));
      } else if (this.state !== 'finished') {
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
    const wasOpen = this.state === 'open';
    this.finish();
    const [pull, ...behind] = this.takePulls();
    pull?.reject(error);
    for (const other of behind) other.resolve(end());
    if (!wasOpen) reportLate(this.run, error, true);
  }

  protected close(pull: Pull<T>): void {
    if (this.ending === 'error') pull.refuse(this.refusal());
    else if (this.ending === 'end') pull.resolve(end());
    else pull.resolve(new FencedItem<T>(this, 'dropped') as unknown as IteratorResult<T>);
  }

  /** The source is over, by itself or by its consumer: the cut finds nothing to do here. */
  private finish(): void {
    if (this.state !== 'open') return;
    this.state = 'finished';
    this.run.unwatch(this);
  }

  private takePulls(): Pull<T>[] {
    const pulls = this.waiting.splice(0);
    if (this.pull !== undefined) pulls.unshift(this.pull);
    this.pull = undefined;
    return pulls;
  }
}

type Pull<T> = Deferred<IteratorResult<T>>;

function end<T>(): IteratorResult<T> {
  return { done: true, value: undefined };
}

/** @param isTold - its source was told to stop */
export function reportLate(run: FencedRun, error: unknown, isTold = false): void {
  if (!run.isOfStop(error, isTold)) run.onError(error);
}
