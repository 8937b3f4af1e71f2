import { type Awaitable, follow, isThenable } from '../internal/awaitable.js';
import { invalid, type RunfenceError } from '../internal/errors.js';
import type { FencedRun } from './fenced-run.js';

/** Where a fenced iterable takes its items from. */
export interface ItemSource<T> {
  next(): PromiseLike<IteratorResult<T>>;
  return?(value?: unknown): unknown;
}

/**
 * A `ReadableStream` that is an async iterable too. Only what tells it from other iterables is asked for: with `lib` DOM, the
 * streams of `node:stream/web` are no `ReadableStream` for the compiler.
 */
export interface IterableStream<T> extends AsyncIterable<T> {
  /** Locks the stream to a reader, as that of a `ReadableStream` does. */
  getReader(): unknown;
}

export function isReadableStream(value: unknown): value is ReadableStream<unknown> {
  return has(value, 'getReader');
}

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return has(value, Symbol.asyncIterator);
}

/** A generator that is not asynchronous, and not any other iterable, such as an array. */
function isGenerator(value: unknown): boolean {
  return has(value, Symbol.iterator) && has(value, 'next');
}

function has(value: unknown, name: PropertyKey): boolean {
  return typeof (value as Record<PropertyKey, unknown> | null | undefined)?.[name] === 'function';
}

export function unlocked<T>(stream: ReadableStream<T>): ReadableStream<T> {
  if (stream.locked) throw invalid('This ReadableStream has a reader already.');
  return stream;
}

/** What a function gives item by item, as items. The iterator of a stream would keep a cancel behind a stuck pull. */
export function itemsOf<T>(given: unknown, run: FencedRun): ItemSource<T> {
  if (isReadableStream(given)) {
    const reader = unlocked(given as ReadableStream<T>).getReader();
    return {
      next: () => reader.read() as Promise<IteratorResult<T>>,
      return: (value) => reader.cancel(run.current ? value : run.closedError()),
    };
  }
  if (isAsyncIterable(given)) return given[Symbol.asyncIterator]() as AsyncIterator<T>;
  throw invalid('A function of gateStream must give an async iterable or a ReadableStream, or a promise of one.');
}

/** Whether a function gave something that goes on after it has returned. */
export function givesItems(value: unknown): boolean {
  if (typeof value !== 'object' || isThenable(value)) return false;
  return isAsyncIterable(value) || isReadableStream(value) || isGenerator(value);
}

/** Ends what nobody is going to read. */
export function discard(source: unknown): unknown {
  if (source === undefined) return undefined;
  // A stream of Node's.
  if (has(source, 'destroy')) return (source as { destroy(): unknown }).destroy();
  if (isReadableStream(source)) return source.locked ? undefined : source.cancel();
  const items = has(source, 'return') || !isAsyncIterable(source) ? source : source[Symbol.asyncIterator]();
  return (items as Iterator<unknown>).return?.();
}

export function isGeneratorFunction(value: object): boolean {
  return String((value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]).endsWith('GeneratorFunction');
}

/** What a fence was given by mistake. A promise is heard: the mistake is to hurt its own run alone. */
export function notFenced(run: FencedRun, source: unknown): RunfenceError {
  if (isThenable(source)) {
    void follow(source as Awaitable<never> as PromiseLike<never>, undefined, (error) => {
      if (!run.isOfStop(error, false)) run.onError(error);
    });
    return invalid('fence got a promise: await it first, as in run.fence(await source).');
  }
  const hint = has(source, Symbol.iterator)
    ? ' A synchronous iterable cannot be interrupted: loop over it yourself.'
    : '';
  return invalid(`fence takes a function, an async iterable or a ReadableStream.${hint}`);
}
