import { invalid } from '../internal/errors.js';
import { checkObject } from '../internal/validate.js';
import { type AtAbort, checkAtAbort } from './at-abort.js';
import type { FencedRun } from './fenced-run.js';
import { fenceFunction } from './function.js';
import { FencedIterator } from './iterable.js';
import { type ChunkSource, FencedStream, fromIterator, fromReader } from './stream.js';

/** How a source is fenced. */
export interface FenceOptions<T = never> {
  /** What it does at the cut; `error` by default. */
  readonly atAbort?: AtAbort<T>;
}

/**
 * A `ReadableStream` that is an async iterable too. Only what tells it from other iterables is asked for: with `lib` DOM, the
 * streams of `node:stream/web` are no `ReadableStream` for the compiler.
 */
export interface IterableStream<T> extends AsyncIterable<T> {
  getReader(): unknown;
}

const KNOWN: ReadonlySet<string> = new Set(['atAbort']);

/** Anything that a fence takes, behind the fence, in the same shape. The streams of the platform are iterable as well. */
export function fence(run: FencedRun, source: unknown, options: unknown = {}): unknown {
  const given = checkObject('fence options', options, KNOWN);
  const atAbort = checkAtAbort(given.atAbort);
  if (typeof source === 'function') {
    return fenceFunction(run, source as (...args: readonly unknown[]) => unknown);
  }
  const isReadable = isReadableStream(source);
  if (!isReadable && !isAsyncIterable(source)) {
    throw invalid('fence takes a function, an async iterable or a ReadableStream.');
  }
  // A source would have to be told to stop before the run has begun.
  if (run.isLive && !run.current) throw run.closedError();
  if (isReadable) {
    return new FencedStream(run, fromReader(unlocked(source)), atAbort, undefined).open();
  }
  return new FencedIterator(run, source[Symbol.asyncIterator](), atAbort);
}

/** The chunks of what a `stream` work gives. */
export function chunksOf<T>(source: unknown): ChunkSource<T> {
  if (isReadableStream(source)) return fromReader(unlocked(source) as ReadableStream<T>);
  if (isAsyncIterable(source)) return fromIterator(source[Symbol.asyncIterator]() as AsyncIterator<T>);
  throw invalid('The work of a stream must give an async iterable or a ReadableStream.');
}

function unlocked(stream: ReadableStream<unknown>): ReadableStream<unknown> {
  if (stream.locked) throw invalid('This ReadableStream has a reader already.');
  return stream;
}

function isReadableStream(value: unknown): value is ReadableStream<unknown> {
  return typeof (value as { getReader?: unknown } | null)?.getReader === 'function';
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as { [Symbol.asyncIterator]?: unknown } | null)?.[Symbol.asyncIterator] === 'function';
}
