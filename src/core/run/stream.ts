import type { AtAbort } from '../fence/at-abort.js';
import { chunksOf } from '../fence/fence.js';
import { type ChunkSource, FencedStream } from '../fence/stream.js';
import { Deferred, settle } from '../internal/awaitable.js';
import type { Timer } from '../internal/timers.js';
import type { NodeContext } from '../node-context.js';
import type { ManagedRun } from './managed-run.js';
import { isAcknowledged, notAcknowledged, outcomeOfBegun, whenStarted } from './perform.js';
import type { BeginResult, StreamResult } from './results.js';
import type { Run } from './run.js';

/** `control.stream`: the run ends with its stream. */
export function streamToAnswer<T>(
  runtime: NodeContext,
  begun: BeginResult,
  { readTimeoutMs, atAbort }: { readonly readTimeoutMs: number; readonly atAbort: AtAbort<T> },
  work: (run: Run) => unknown,
): StreamResult<T> {
  if (!isAcknowledged(begun)) return notAcknowledged(begun) as StreamResult<T>;
  const { status } = begun;
  const run = begun.run as ManagedRun;
  const outcome = outcomeOfBegun(begun) as Promise<never>;
  const chunks = new LateChunks<T>(run);
  const reader = new ReaderWatch(runtime, run, readTimeoutMs);
  const fenced = new FencedStream<T>(run, chunks, atAbort, {
    pulled: () => reader.isReading(),
    delivered: () => reader.isIdle(),
    ended: () => run.returned(undefined),
    failed: (error) => run.threw(error),
    cancelled: () => run.host.cut(run, 'disconnect'),
    failedLate: (error) => run.failedLate(error, true),
    unwound: () => run.unwound(),
  });
  const stream = fenced.open();
  run.onEnded(() => {
    reader.stop();
    if (!run.isCalled) chunks.drop();
  });
  const failed = (error: unknown): void => {
    fenced.failed(error);
    chunks.drop();
  };
  const start = (): void => {
    if (run.isSuspended) {
      void run.whenResumed().then(start);
      return;
    }
    if (!run.current) {
      run.unwound();
      return;
    }
    reader.start();
    // The clock is code of the host, and may have stopped it.
    if (!run.current) {
      reader.stop();
      run.unwound();
      return;
    }
    run.isCalled = true;
    settle(
      () => run.within(() => work(run)),
      (source) => {
        try {
          chunks.open(chunksOf<T>(source));
        } catch (error) {
          failed(error);
        }
      },
      failed,
    );
  };
  whenStarted(begun, start);
  return { status, runId: run.id, outcome, stream };
}

/** The chunks of work that has not given its source yet: a stream is handed out before that. */
class LateChunks<T> implements ChunkSource<T> {
  readonly #source: Deferred<ChunkSource<T> | undefined> = new Deferred();
  #opened: ChunkSource<T> | undefined;
  #isStopped = false;
  #isPulled = false;
  readonly #run: ManagedRun;

  constructor(run: ManagedRun) {
    this.#run = run;
  }

  open(source: ChunkSource<T>): void {
    this.#opened = source;
    this.#source.resolve(source);
  }

  /** A source that nobody pulls waits for its reader. */
  endsAtOnce(isPulling: boolean): boolean {
    return this.#opened !== undefined && (!isPulling || this.#opened.endsAtOnce(true));
  }

  /** There will be no source. */
  drop(): void {
    this.#source.resolve(undefined);
  }

  async pull(): Promise<{ readonly done?: boolean | undefined; readonly value?: T | undefined }> {
    const source = await this.#source.promise;
    // A source that arrives after the stop is only told so: a pull would set it going.
    if (source === undefined || this.#isStopped) return { done: true };
    if (this.#isPulled) return source.pull();
    this.#isPulled = true;
    // The body of a generator begins here.
    return this.#run.within(() => source.pull());
  }

  async stop(reason: unknown): Promise<void> {
    this.#isStopped = true;
    const source = await this.#source.promise;
    await source?.stop(reason);
  }
}

/** Nobody reads: the client is gone without a word, and the run is stopped. */
class ReaderWatch {
  readonly #runtime: NodeContext;
  readonly #run: ManagedRun;
  readonly #timeoutMs: number;
  #timer: Timer | undefined;
  #isReading = false;

  constructor(runtime: NodeContext, run: ManagedRun, timeoutMs: number) {
    this.#runtime = runtime;
    this.#run = run;
    this.#timeoutMs = timeoutMs;
  }

  /** The run has started. Somebody may have read since it was queued. */
  start(): void {
    if (!this.#isReading) this.isIdle();
  }

  isReading(): void {
    this.#isReading = true;
    this.stop();
  }

  isIdle(): void {
    this.#isReading = false;
    if (this.#timeoutMs === Number.POSITIVE_INFINITY) return;
    this.stop();
    this.#timer = this.#runtime.timers.after(this.#timeoutMs, () => this.#run.host.cut(this.#run, 'disconnect'));
  }

  stop(): void {
    this.#runtime.timers.cancel(this.#timer);
  }
}
