import type { Run } from '../index.js';
import { gateTools } from './gate-tools.js';
import type { AiResult, AiTools, StreamText, StreamTextOptions } from './sdk.js';

/** A `streamText` that belongs to a run. Its streams are fenced; what they are of is `result`. */
export interface TextIn<R extends AiResult> {
  /** All that happens, part by part, behind the fence: at the stop it rejects with the abort. */
  readonly fullStream: R['fullStream'];
  /** The text alone, behind the fence. It rejects with an error of the model, as that of the AI SDK itself does not. */
  readonly textStream: R['textStream'];
  /**
   * The stream for `useChat`, behind the fence. Its options are those of the AI SDK.
   *
   * @param options - as the AI SDK has them
   * @returns the stream, for `createUIMessageStreamResponse`
   */
  readonly toUIMessageStream: R['toUIMessageStream'];
  /** The result itself, for its promises: await them after the end of a stream only. Its own streams are not fenced. */
  readonly result: R;
}

interface Given {
  readonly tools?: AiTools;
  readonly abortSignal?: AbortSignal;
  readonly onError?: (event: { readonly error: unknown }) => unknown;
}

/**
 * Calls `streamText` for a loop of your own, in a run: with its signal, beside one of yours, with gated tools, and behind the
 * fence. An error of the model is a part of the streams that have parts, as ever. It is not printed unless you do that in `onError`.
 *
 * @param run - the run that it belongs to
 * @param streamText - the function of the `ai` package
 * @param options - its options
 * @returns the fenced streams, and the result
 * @throws `RUN_ABORTED` or `RUN_ENDED` if the run is over: the model is not asked
 */
export function streamTextIn<S extends StreamText>(
  run: Run,
  streamText: S,
  options: StreamTextOptions<S>,
): TextIn<ReturnType<S>> {
  run.throwIfStale();
  const { tools, abortSignal, onError } = options as Given;
  const failures: unknown[] = [];
  const result = (streamText as unknown as (options: object) => ReturnType<S>)({
    ...options,
    onError: (event: { readonly error: unknown }) => {
      failures.push(event.error);
      return onError?.(event);
    },
    ...(tools === undefined ? {} : { tools: gateTools(run, tools) }),
    abortSignal: abortSignal === undefined ? run.signal : AbortSignal.any([run.signal, abortSignal]),
  });
  const fenced = (stream: unknown): unknown => run.fence(stream as ReadableStream<unknown> & AsyncIterable<unknown>);
  return {
    get fullStream() {
      return fenced(result.fullStream);
    },
    get textStream() {
      return fenced((result.textStream as ReadableStream<unknown>).pipeThrough(endingWith(failures)));
    },
    toUIMessageStream: (given?: never) => fenced(result.toUIMessageStream(given)),
    result,
  };
}

/** The AI SDK leaves errors out of its text, which then looks like a whole answer. */
function endingWith(failures: readonly unknown[]): TransformStream<unknown, unknown> {
  return new TransformStream({
    flush: (controller) => {
      if (failures.length > 0) controller.error(failures[0]);
    },
  });
}
