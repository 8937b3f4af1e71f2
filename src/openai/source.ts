import type { Clock } from '../index.js';

/** How long a stream that was told of the stop may take to unwind. */
const TOLD_MS = 200;

/**
 * A stream that the first pull asks for. Behind the fence, a stop then also ends the wait for the first byte, and for the
 * client's next attempt; whatever still goes on of it is a leftover until it has ended.
 */
export function opening<T>(clock: Clock, open: () => PromiseLike<AsyncIterable<T>>): AsyncIterable<T> {
  let iterator: AsyncIterator<T> | undefined;
  let opened: Promise<AsyncIterator<T>> | undefined;
  const start = async (): Promise<AsyncIterator<T>> => {
    iterator = (await open())[Symbol.asyncIterator]();
    return iterator;
  };
  const first = async (): Promise<IteratorResult<T>> => {
    opened ??= start();
    return (await opened).next();
  };
  return {
    [Symbol.asyncIterator]: () => ({
      // Not an async function: this is asked once a token.
      next: () => (iterator === undefined ? first() : iterator.next()),
      return: async () => {
        const left = await opened?.catch(() => undefined);
        if (left?.return !== undefined) await within(clock, left.return());
        return { done: true, value: undefined };
      },
    }),
  };
}

/** On Node 20, `fetch` never settles a read that an abort meets at the end of the body: the run would never be quiet. */
async function within(clock: Clock, told: PromiseLike<unknown>): Promise<void> {
  let timer: unknown;
  const late = new Promise<void>((resolve) => {
    timer = clock.setTimeout(resolve, TOLD_MS);
  });
  try {
    await Promise.race([told, late]);
  } finally {
    clock.clearTimeout(timer);
  }
}
