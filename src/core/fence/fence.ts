import { invalid } from '../internal/errors.js';
import { checkObject, keysOf } from '../internal/validate.js';
import { type AtAbort, checkAtAbort } from './at-abort.js';
import type { FencedRun } from './fenced-run.js';
import { fenceFunction } from './function.js';
import { FencedIterator } from './iterable.js';
import { isAsyncIterable, isGeneratorFunction, isReadableStream, notFenced, unlocked } from './sources.js';
import { type ChunkSource, FencedStream, fromIterator, fromReader } from './stream.js';

/** How a source is fenced. */
export interface FenceOptions<T = never> {
  /** What it does at the cut; `error` by default. */
  readonly atAbort?: AtAbort<T>;
}

/** How a function that gives a source is gated. */
export interface GateStreamOptions<T = never> extends FenceOptions<T> {
  /** What a receipt calls it; by default the function's name. */
  readonly name?: string;
}

const KNOWN: ReadonlySet<string> = keysOf<FenceOptions>({ atAbort: true });

/** Anything that a fence takes, behind the fence, in the same shape. The streams of the platform are iterable as well. */
export function fence(run: FencedRun, source: unknown, options: unknown = {}): unknown {
  const given = checkObject('fence options', options, KNOWN);
  const atAbort = checkAtAbort(given.atAbort);
  if (typeof source === 'function') {
    if (isGeneratorFunction(source)) {
      throw invalid(
        'fence takes a generator, and not its function: call it first, or give the function to run.gateStream.',
      );
    }
    return fenceFunction(run, source as (...args: readonly unknown[]) => unknown);
  }
  const isReadable = isReadableStream(source);
  if (!isReadable && !isAsyncIterable(source)) throw notFenced(run, source);
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
