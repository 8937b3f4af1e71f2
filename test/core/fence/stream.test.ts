import type { FenceOptions, IterableStream } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { ABORTED, END } from '../../support/matchers.js';
import { queued } from '../../support/queued.js';
import { Feed, fencedEffects, started, streamOf, streamWithoutCancel, watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

/** A fenced stream of a run that goes on, and its reader. */
function fenced(options: FenceOptions<string> = {}) {
  const { control, errors } = tracked();
  const run = started(control);
  const feed = new Feed<string>();
  const stream = run.fence(streamOf(feed), options);
  return { control, errors, run, feed, stream, abort: () => void control.abort('all') };
}

async function read(reader: ReadableStreamDefaultReader<string>, feed: Feed<string>, chunk: string): Promise<void> {
  const reading = reader.read();
  await flush();
  feed.give(chunk);
  expect(await reading).toEqual({ done: false, value: chunk });
}

test('a fenced stream is a ReadableStream of the same chunks', async () => {
  const { run, feed, stream } = fenced();
  expect(stream).toBeInstanceOf(ReadableStream);
  const reader = stream.getReader();
  await read(reader, feed, 'a');
  await read(reader, feed, 'b');
  const last = reader.read();
  await flush();
  feed.end();
  expect(await last).toEqual(END);
  run.complete();
});

test('a source that is a stream and an iterable at once stays both: it is read by a loop or by a reader (D19)', async () => {
  const { control } = tracked();
  const run = started(control);
  const iterable = (feed: Feed<string>): IterableStream<string> =>
    Object.assign(streamOf(feed), { [Symbol.asyncIterator]: () => feed[Symbol.asyncIterator]() });
  const [feed, other] = [new Feed<string>(), new Feed<string>()];
  const looped = run.fence(iterable(feed));
  const items: string[] = [];
  const looping = watching(
    (async () => {
      for await (const item of looped) items.push(item);
    })(),
  );
  const reader = run.fence(iterable(other)).getReader();
  await flush();
  feed.give('a');
  await read(reader, other, 'b');
  const reading = watching(reader.read());
  await flush();
  void control.abort('all');
  await flush();
  expect(items).toEqual(['a']);
  expect([looping, reading]).toEqual(Array(2).fill({ state: 'rejected', result: ABORTED }));
  expect([feed.returns, other.returns]).toEqual([1, 1]);
  run.complete();
});

test('the source is asked once for every read, and never ahead of one', async () => {
  const { run, feed, stream } = fenced();
  const reader = stream.getReader();
  await flush();
  expect(feed.pulls).toBe(0);
  for (const [at, chunk] of ['a', 'b', 'c'].entries()) {
    await read(reader, feed, chunk);
    await flush();
    expect(feed.pulls).toBe(at + 1);
  }
  run.complete();
});

test('a stuck read wakes at the cut with the reason of the signal, and so do later ones', async () => {
  const { run, feed, stream, abort } = fenced();
  const reader = stream.getReader();
  const reading = reader.read();
  await flush();
  abort();
  await expect(reading).rejects.toBe(run.signal.reason);
  await expect(reader.read()).rejects.toEqual(ABORTED);
  expect(feed.returns).toBe(1);
  run.complete();
});

test('a chunk that comes after the cut is dropped and counted', async () => {
  const { control } = tracked();
  const run = started(control);
  const chunk = gate<string>();
  const reading = run.fence(streamWithoutCancel(chunk.promise)).getReader().read();
  await flush();
  void control.abort('all');
  chunk.open('late');
  await expect(reading).rejects.toEqual(ABORTED);
  expect(await fencedEffects(control, run)).toBe(1);
  run.complete();
});

test('a stream that is fenced after the cut is told, and not asked', async () => {
  const { run, abort } = fenced();
  abort();
  const feed = new Feed<string>();
  await expect(run.fence(streamOf(feed)).getReader().read()).rejects.toEqual(ABORTED);
  expect(feed).toMatchObject({ pulls: 0, returns: 1 });
  run.complete();
});

test('with atAbort: end a stuck read ends at the cut', async () => {
  const { run, feed, stream, abort } = fenced({ atAbort: 'end' });
  const reader = stream.getReader();
  const reading = reader.read();
  await flush();
  abort();
  expect(await reading).toEqual(END);
  expect(await reader.read()).toEqual(END);
  expect(feed.returns).toBe(1);
  run.complete();
});

test('after a normal end a stuck read rejects with RUN_ENDED, and the producer is told', async () => {
  const { run, feed, stream } = fenced();
  const reading = stream.getReader().read();
  await flush();
  run.complete();
  await expect(reading).rejects.toMatchObject({ code: 'RUN_ENDED' });
  expect(feed.returns).toBe(1);
});

describe('the producer is told once', () => {
  test('when the consumer cancels, with its reason, and not again at the cut', async () => {
    const { control } = tracked();
    const run = started(control);
    const reasons: unknown[] = [];
    const stream = run.fence(new ReadableStream({ cancel: (reason) => void reasons.push(reason) }));
    await stream.cancel('closed the tab');
    void control.abort('all');
    expect(reasons).toEqual(['closed the tab']);
    run.complete();
  });

  test('when the run is cut, with the reason of the signal, and not again when the consumer cancels', async () => {
    const { control } = tracked();
    const run = started(control);
    const reasons: unknown[] = [];
    const stream = run.fence(new ReadableStream({ cancel: (reason) => void reasons.push(reason) }), { atAbort: 'end' });
    void control.abort('all');
    await stream.cancel('too late');
    expect(reasons).toEqual([run.signal.reason]);
    run.complete();
  });

  test('when the consumer breaks out of a loop', async () => {
    const { run, feed, stream, abort } = fenced();
    const reading = (async () => {
      for await (const _ of stream as unknown as AsyncIterable<string>) break;
    })();
    await flush();
    feed.give('text');
    await reading;
    abort();
    expect(feed.returns).toBe(1);
    run.complete();
  });

  test('not at all when it has failed by itself', async () => {
    const { run, feed, stream, errors, abort } = fenced();
    const error = new Error('503');
    const reading = stream.getReader().read();
    await flush();
    feed.fail(error);
    await expect(reading).rejects.toBe(error);
    abort();
    await flush();
    expect(feed.returns).toBe(0);
    expect(errors).toEqual([]);
    run.complete();
  });

  test('not at all when it has ended by itself', async () => {
    const { run, feed, stream, abort } = fenced();
    const reading = stream.getReader().read();
    await flush();
    feed.end();
    await reading;
    abort();
    expect(feed.returns).toBe(0);
    run.complete();
  });

  test('and its clean-up that fails after the cut goes to onError, unless it says aborted', async () => {
    for (const [error, heard] of [
      [new Error('the socket is gone'), 1],
      [new DOMException('stopped', 'AbortError'), 0],
    ] as const) {
      const { run, feed, stream, errors, abort } = fenced();
      feed.onReturn = () => Promise.reject(error);
      const reading = stream.getReader().read();
      abort();
      await expect(reading).rejects.toEqual(ABORTED);
      await flush();
      expect(errors).toEqual(heard === 1 ? [error] : []);
      run.complete();
    }
  });

  test('and a consumer that cancels gets the error of its clean-up', async () => {
    const { run, feed, stream } = fenced();
    const error = new Error('the socket is gone');
    feed.onReturn = () => Promise.reject(error);
    await expect(stream.cancel()).rejects.toBe(error);
    run.complete();
  });
});

test('a source that answers with nonsense errors the stream', async () => {
  const { control } = tracked();
  const run = started(control);
  const source = { locked: false, getReader: () => ({ read: () => Promise.resolve(undefined) }) };
  const stream = run.fence(source as unknown as ReadableStream<string>);
  await expect(stream.getReader().read()).rejects.toThrow(TypeError);
  run.complete();
});

test('a locked stream cannot be fenced', () => {
  const { control } = tracked();
  const run = started(control);
  const stream = new ReadableStream();
  stream.getReader();
  expect(() => run.fence(stream)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  run.complete();
});

test('a fenced stream pipes, and the cut aborts the pipe', async () => {
  const { run, feed, stream, abort } = fenced();
  const written: string[] = [];
  const piped = watching(stream.pipeTo(new WritableStream({ write: (chunk) => void written.push(chunk) })));
  await flush();
  feed.give('text');
  await flush();
  abort();
  await flush();
  expect(written).toEqual(['text']);
  expect(piped).toEqual({ state: 'rejected', result: ABORTED });
  run.complete();
});

test('a stream of a queued run is refused, and neither touched nor locked', async () => {
  const { control } = tracked();
  const first = started(control);
  const waiting = await queued(control);
  const source = new ReadableStream();
  expect(() => waiting.run.fence(source)).toThrow(expect.objectContaining({ code: 'RUN_QUEUED' }));
  expect(source.locked).toBe(false);
  first.complete();
  waiting.run.complete();
});

test('a stream of another implementation whose read throws fails the fenced one with that error', async () => {
  const { control } = tracked();
  const run = started(control);
  const error = new Error('not an answer');
  const throwing = {
    locked: false,
    getReader: () => ({
      read: () => {
        throw error;
      },
      cancel: async () => {},
    }),
  } as unknown as ReadableStream<string>;
  await expect(run.fence(throwing).getReader().read()).rejects.toBe(error);
  expect(run.isCurrent()).toBe(true);
  run.complete();
});
