import { chunksOf } from '../fence/fence.js';
import { type ChunkSource, FencedStream } from '../fence/stream.js';
import { settle } from '../internal/awaitable.js';
import type { Runtime } from '../internal/runtime.js';
import type { Timer } from '../internal/timers.js';
import type { ManagedRun } from './managed-run.js';
import { outcomeOfBegun, whenStarted } from './perform.js';
import type { BeginResult, StreamResult } from './results.js';
import type { Run } from './run.js';

/** `control.stream`: the run ends with its stream. */
export function streamToAnswer<T>(
  runtime: Runtime,
  begun: BeginResult,
  readTimeoutMs: number,
  work: (run: Run) => unknown,
): StreamResult<T> {
  if (begun.status !== 'started' && begun.status !== 'queued') return begun as StreamResult<T>;
  const { status } = begun;
  const run = begun.run as ManagedRun;
  const outcome = outcomeOfBegun(begun) as Promise<never>;
  const chunks = new LateChunks<T>();
  const reader = new ReaderWatch(runtime, run, readTimeoutMs);
  const fenced = new FencedStream<T>(run, chunks, 'reject', {
    pulled: () => reader.isReading(),
    delivered: () => reader.isIdle(),
    ended: () => {
      reader.stop();
      run.complete();
      run.unwound();
    },
    failed: (error) => {
      reader.stop();
      run.fail(error);
      run.unwound();
    },
    cancelled: () => run.host.cut(run, 'disconnect'),
    unwound: () => run.unwound(),
  });
  const stream = fenced.open();
  run.onEnded(() => reader.stop());
  whenStarted(begun, () => {
    if (!run.isCurrent()) {
      run.unwound();
      return;
    }
    reader.isIdle();
    settle(
      () => work(run),
      (source) => {
        try {
          chunks.open(chunksOf<T>(source));
        } catch (error) {
          fenced.failed(error);
        }
      },
      (error) => {
        chunks.fail(error);
        fenced.failed(error);
      },
    );
  });
  return { status, runId: run.id, outcome, stream };
}

/** The chunks of work that has not given its source yet: a stream is handed out before that. */
class LateChunks<T> implements ChunkSource<T> {
  readonly #source: Promise<ChunkSource<T>>;
  #resolve!: (source: ChunkSource<T>) => void;
  #reject!: (error: unknown) => void;

  constructor() {
    this.#source = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A failure is told to the stream, whether or not somebody reads.
    this.#source.catch(() => {});
  }

  open(source: ChunkSource<T>): void {
    this.#resolve(source);
  }

  fail(error: unknown): void {
    this.#reject(error);
  }

  pull(): ReturnType<ChunkSource<T>['pull']> {
    return this.#source.then((source) => source.pull());
  }

  stop(reason: unknown): Promise<unknown> {
    return this.#source.then((source) => source.stop(reason));
  }
}

/** Nobody reads: the client is gone without a word, and the run is stopped. */
class ReaderWatch {
  readonly #runtime: Runtime;
  readonly #run: ManagedRun;
  readonly #timeoutMs: number;
  #timer: Timer | undefined;

  constructor(runtime: Runtime, run: ManagedRun, timeoutMs: number) {
    this.#runtime = runtime;
    this.#run = run;
    this.#timeoutMs = timeoutMs;
  }

  isReading(): void {
    this.stop();
  }

  isIdle(): void {
    if (this.#timeoutMs === Number.POSITIVE_INFINITY) return;
    this.stop();
    this.#timer = this.#runtime.timers.after(this.#timeoutMs, () => this.#run.host.cut(this.#run, 'disconnect'));
  }

  stop(): void {
    this.#runtime.timers.cancel(this.#timer);
  }
}
