// The type of a fenced source with a last item. Compiled with each tsconfig beside this file.
import { type AtAbort, createRunControl, type FenceOptions, type Run, type StreamOptions } from 'runfence';

type Part = { readonly type: 'text'; readonly text: string } | { readonly type: 'abort'; readonly reason: string };

interface Sources {
  readonly parts: AsyncIterable<Part>;
  readonly stream: ReadableStream<Part>;
  readonly both: AsyncIterable<Part> & ReadableStream<Part>;
}

export async function lastItems(run: Run, { parts, stream, both }: Sources): Promise<unknown[]> {
  const iterable: AsyncIterableIterator<Part> = run.fence(parts, { atAbort: (reason) => ({ type: 'abort', reason }) });
  const readable: ReadableStream<Part> = run.fence(stream, { atAbort: () => ({ type: 'abort', reason: 'stopped' }) });
  const each: AsyncIterable<Part> & ReadableStream<Part> = run.fence(both, {
    atAbort: (reason) => ({ type: 'abort', reason }),
  });
  // Another type of item is part of the answer's type.
  const more: AsyncIterableIterator<Part | 'stopped'> = run.fence(parts, { atAbort: () => 'stopped' });
  // @ts-expect-error the last item is no Part
  const fewer: AsyncIterableIterator<Part> = run.fence(parts, { atAbort: () => 'stopped' });
  const gated: AsyncIterableIterator<Part> = run.gateStream(() => parts, {
    atAbort: (reason) => ({ type: 'abort', reason }),
  })();
  const plain: AsyncIterableIterator<Part> = run.fence(parts, { atAbort: 'end' });
  // @ts-expect-error the old name
  run.fence(parts, { atAbort: 'reject' });

  const atAbort: AtAbort<string> = (reason) => reason;
  const options: FenceOptions<string> = { atAbort };
  const none: FenceOptions = { atAbort: 'end' };
  const begin: StreamOptions<string> = { sessionKey: 'chat-1', atAbort };
  const kept: AsyncIterableIterator<Part | string> = run.fence(run.fence(parts, none), options);

  const control = createRunControl();
  const inferred = await control.stream(
    { sessionKey: 'chat-1', atAbort: (reason) => ({ type: 'abort', reason }) },
    (own) => own.fence(parts),
  );
  const declared = await control.stream<Part>(
    { sessionKey: 'chat-1', atAbort: (reason) => ({ type: 'abort', reason }) },
    async () => stream,
  );
  const texts = await control.stream(begin, async function* () {
    yield 'text';
  });
  const streams: ReadableStream<Part>[] = [];
  for (const answer of [inferred, declared]) if ('stream' in answer) streams.push(answer.stream);
  if ('stream' in texts) streams.push(texts.stream.pipeThrough(new TextEncoderStream()) as ReadableStream<never>);
  return [iterable, readable, each, more, fewer, gated, plain, kept, ...streams];
}
