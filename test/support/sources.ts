import type { FenceOptions, Run, RunControl, RunOptions } from 'runfence';
import { tracked } from './tracked.js';
import { type Gate, gate } from './work.js';

/** A source that answers when the test says so, and counts what is asked of it. */
export class Feed<T> implements AsyncIterableIterator<T> {
  pulls = 0;
  returns = 0;
  /** What `return()` does; by default it ends at once. */
  onReturn: () => unknown = () => undefined;
  readonly #open: Gate<IteratorResult<T>>[] = [];

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    this.pulls += 1;
    const answer = gate<IteratorResult<T>>();
    this.#open.push(answer);
    return answer.promise;
  }

  async return(): Promise<IteratorResult<T>> {
    this.returns += 1;
    await this.onReturn();
    return { done: true, value: undefined };
  }

  /** Answers the oldest pull. */
  give(value: T): void {
    this.#oldest().open({ done: false, value });
  }

  end(): void {
    this.#oldest().open({ done: true, value: undefined });
  }

  fail(error: unknown): void {
    this.#oldest().fail(error);
  }

  #oldest(): Gate<IteratorResult<T>> {
    const oldest = this.#open.shift();
    if (oldest === undefined) throw new Error('Nobody has pulled.');
    return oldest;
  }
}

/** The same source as a stream without a buffer: a pull is a pull of the feed, a cancel its return. */
export function streamOf<T>(feed: Feed<T>): ReadableStream<T> {
  return new ReadableStream<T>(
    {
      pull: async (controller) => {
        const { done, value } = await feed.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => {
        await feed.return();
      },
    },
    { highWaterMark: 0 },
  );
}

/** A stream of one chunk whose cancel does not answer the read in flight, as in another implementation. */
export function streamWithoutCancel<T>(chunk: Promise<T>): ReadableStream<T> {
  const reader = {
    read: async () => ({ done: false, value: await chunk }),
    cancel: async () => {},
  };
  return { locked: false, getReader: () => reader } as unknown as ReadableStream<T>;
}

export async function* counting(to: number): AsyncGenerator<number> {
  for (let i = 1; i <= to; i++) yield i;
}

/** A handle of a run that has started. The test ends it. */
export function started(control: RunControl, options: Partial<RunOptions> = {}): Run {
  const begun = control.runs.beginSync({ sessionKey: 's', ...options });
  if (begun.status !== 'started') throw new Error(`The run is ${begun.status}.`);
  return begun.run;
}

/** A fenced feed of a run that goes on. */
export function fencedFeed(options: FenceOptions<string> = {}) {
  const { control, errors } = tracked();
  const run = started(control);
  const feed = new Feed<string>();
  return { control, errors, run, feed, source: run.fence(feed, options), abort: () => void control.abort('all') };
}

/** How many effects of an aborted run were refused until now. */
export async function fencedEffects(control: RunControl, run: { readonly id: string }): Promise<number> {
  const receipt = await control.abort({ runId: run.id });
  const [report] = (await receipt.whenQuiet({ timeoutMs: 0 })).runs;
  if (report === undefined) throw new Error('The run is quiet: ask before it is.');
  return report.fencedEffects;
}

/** Does something after exactly so many steps of the microtask queue; at once for 0. */
export function afterMicrotasks(count: number, action: () => void): void {
  if (count === 0) action();
  else queueMicrotask(() => afterMicrotasks(count - 1, action));
}

/** Watches a promise without waiting for it. */
export function watching<T>(promise: Promise<T>): { state: 'pending' | 'fulfilled' | 'rejected'; result: unknown } {
  const seen: { state: 'pending' | 'fulfilled' | 'rejected'; result: unknown } = {
    state: 'pending',
    result: undefined,
  };
  promise.then(
    (value) => Object.assign(seen, { state: 'fulfilled', result: value }),
    (error: unknown) => Object.assign(seen, { state: 'rejected', result: error }),
  );
  return seen;
}
