import type { Run } from '../index.js';

/** A stream as an iterable whose end is told at once: its own iterator keeps a cancel behind a stuck pull. */
export function itemsOf<T>(stream: ReadableStream<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const reader = stream.getReader();
      return {
        next: () => reader.read() as Promise<IteratorResult<T>>,
        return: async () => {
          await reader.cancel();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/**
 * Throws the abort of a run that is over. `run.throwIfStale()` throws as well while a node is not sure of its lease: gate and
 * fence wait for that instead, and a turn that would go on need not fail.
 */
export function throwIfCut(run: Run): void {
  if (run.status !== 'running') run.throwIfStale();
}
