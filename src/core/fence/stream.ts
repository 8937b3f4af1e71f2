import { follow } from '../internal/awaitable.js';
import type { Watcher } from '../lock/locking-run.js';
import { type AtAbort, endingOf } from './at-abort.js';
import type { FencedRun } from './fenced-run.js';
import { reportLate } from './iterable.js';

/** Where a fenced stream takes its chunks from: a reader, or an iterator. */
export interface ChunkSource<T> {
  pull(): PromiseLike<{ readonly done?: boolean | undefined; readonly value?: T | undefined }>;
  stop(reason: unknown): unknown;
  /** Whether all that the work waits for now ends with `stop`. A pull from an iterator does not. */
  endsAtOnce(isPulling: boolean): boolean;
}

/** What a run that ends with its stream is told. */
export interface StreamListener {
  pulled(): void;
  delivered(): void;
  ended(): void;
  failed(error: unknown): void;
  cancelled(): void;
  /** The source failed when the stream was over already. */
  failedLate(error: unknown): void;
  /** The source has nothing left to unwind. */
  unwound(): void;
}

/**
 * A stream behind the fence. It asks its source only when it is asked itself (high-water mark 0),
 * so that back-pressure is kept and no chunk waits inside.
 */
export class FencedStream<T> implements Watcher, UnderlyingDefaultSource<T> {
  nextWatcher: Watcher | undefined = undefined;
  previousWatcher: Watcher | undefined = undefined;
  private controller: ReadableStreamDefaultController<T> | undefined = undefined;
  private isOver = false;
  private isPulling = false;
  private isStopping = false;
  private endLeftover: (() => void) | undefined = undefined;

  get isAlone(): boolean {
    return this.source.endsAtOnce(this.isPulling);
  }

  private readonly run: FencedRun;
  private readonly source: ChunkSource<T>;
  private readonly atAbort: AtAbort<T>;
  private readonly listener: StreamListener | undefined;

  constructor(run: FencedRun, source: ChunkSource<T>, atAbort: AtAbort<T>, listener: StreamListener | undefined) {
    this.run = run;
    this.source = source;
    this.atAbort = atAbort;
    this.listener = listener;
  }

  open(): ReadableStream<T> {
    return new ReadableStream<T>(this, { highWaterMark: 0 });
  }

  start(controller: ReadableStreamDefaultController<T>): void {
    this.controller = controller;
    // Live, not current: the stream of a queued run is handed out before the run starts.
    if (this.run.isLive) this.run.watch(this);
    else this.closed();
  }

  pull(controller: ReadableStreamDefaultController<T>): PromiseLike<void> | undefined {
    // The last item of a cut stream answers one read, and the platform asks again for the next.
    if (this.isOver) return undefined;
    this.listener?.pulled();
    this.isPulling = true;
    try {
      return follow(
        this.source.pull(),
        (chunk) => this.deliver(controller, chunk),
        (error) => this.failed(error),
      );
    } catch (error) {
      this.failed(error);
      return undefined;
    }
  }

  async cancel(reason: unknown): Promise<void> {
    if (this.isOver) return;
    this.finish();
    if (this.listener === undefined) {
      const leftover = this.run.beginWork('source');
      try {
        await this.source.stop(reason);
      } finally {
        this.run.endWork(leftover);
      }
    } else {
      this.listener.cancelled();
      await this.stopSource(reason);
    }
  }

  /** The cut, or the run's end: a stuck read is woken, and the producer told once. */
  closed(): void {
    if (this.isOver) return;
    this.isOver = true;
    const error = this.run.closedError();
    const ending = endingOf(this.run, this.atAbort, error);
    try {
      if (ending === 'error') {
        this.controller?.error(error);
      } else {
        if (ending !== 'end') this.controller?.enqueue(ending.lastItem);
        this.controller?.close();
      }
    } catch {
      // The function that gave the last item has cancelled the stream: nobody reads it.
    }
    void this.stopSource(error);
  }

  private deliver(
    controller: ReadableStreamDefaultController<T>,
    chunk: { readonly done?: boolean | undefined; readonly value?: T | undefined },
  ): void {
    if (this.run.isSuspended && !this.isOver) {
      void this.run.whenResumed().then(() => this.deliver(controller, chunk));
      return;
    }
    this.isPulling = false;
    try {
      const isEnd = chunk.done === true;
      if (this.isOver) {
        if (!isEnd && !this.run.current) this.run.refused();
        this.unwoundIfIdle();
      } else if (isEnd) {
        this.finish();
        controller.close();
        this.listener?.ended();
      } else if (this.run.current) {
        controller.enqueue(chunk.value as T);
        this.listener?.delivered();
      } else {
        this.run.refused();
      }
    } catch (error) {
      // A chunk may refuse to be read: an item of a fenced iterable does so once its run is cut.
      this.failed(error);
    }
  }

  /** The source failed, in a pull or before there was one. */
  failed(error: unknown): void {
    this.isPulling = false;
    if (this.isOver) {
      this.failedLate(error);
      this.unwoundIfIdle();
      return;
    }
    this.finish();
    this.controller?.error(error);
    this.listener?.failed(error);
  }

  /** Tells the producer. Nobody is there for what its clean-up throws. */
  private async stopSource(reason: unknown): Promise<void> {
    this.isStopping = true;
    const leftover = this.listener === undefined ? this.run.beginWork('source') : undefined;
    if (leftover !== undefined) this.endLeftover = () => this.run.endWork(leftover);
    try {
      await this.source.stop(reason);
    } catch (error) {
      this.failedLate(error);
    }
    this.isStopping = false;
    this.unwoundIfIdle();
  }

  private failedLate(error: unknown): void {
    if (this.listener === undefined) reportLate(this.run, error, true);
    else this.listener.failedLate(error);
  }

  /** A pull in flight and a clean-up are work that has not unwound. */
  private unwoundIfIdle(): void {
    if (this.isPulling || this.isStopping) return;
    this.endLeftover?.();
    this.listener?.unwound();
  }

  private finish(): void {
    this.isOver = true;
    this.run.unwatch(this);
  }
}

export function fromReader<T>(stream: ReadableStream<T>): ChunkSource<T> {
  const reader = stream.getReader();
  return {
    // Without a pull, work goes on with something else.
    endsAtOnce: (isPulling) => isPulling,
    pull: () => reader.read(),
    stop: (reason) => reader.cancel(reason),
  };
}

export function fromIterator<T>(iterator: AsyncIterator<T>): ChunkSource<T> {
  return {
    endsAtOnce: () => false,
    pull: () => iterator.next(),
    stop: () => iterator.return?.(),
  };
}
