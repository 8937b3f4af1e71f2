import type { Run } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { counting, Feed, streamOf } from '../../support/sources.js';
import { feeding, type Given, type Source, streaming } from '../../support/streaming.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

async function collect(stream: ReadableStream<unknown>): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of stream as unknown as AsyncIterable<unknown>) items.push(item);
  return items;
}

test.each<[string, () => AsyncIterable<number> | ReadableStream<number>]>([
  ['an async iterable', () => counting(3)],
  [
    'a ReadableStream',
    () =>
      new ReadableStream({
        start: (controller) => {
          for (const item of [1, 2, 3]) controller.enqueue(item);
          controller.close();
        },
      }),
  ],
])('work that gives %s is streamed, and the run ends with it', async (_what, source) => {
  const { control } = tracked();
  for (const work of [source, async () => source()]) {
    const answer = await control.stream({ sessionKey: 's' }, work);
    if (answer.status !== 'started') throw new Error(answer.status);
    expect(control.runs.get(answer.runId)?.status).toBe('running');
    expect(await collect(answer.stream)).toEqual([1, 2, 3]);
    expect(await answer.outcome).toEqual({ status: 'completed', value: undefined });
  }
});

test('the source is asked once for every read, and never ahead of one', async () => {
  const { control, feed, reader } = await feeding();
  const chunks = reader();
  await flush();
  expect(feed.pulls).toBe(0);
  for (const at of [1, 2, 3]) {
    const reading = chunks.read();
    await flush();
    feed.give(`${at}`);
    expect(await reading).toEqual({ done: false, value: `${at}` });
    await flush();
    expect(feed.pulls).toBe(at);
  }
  await control.abort('all');
});

describe('a source or work that fails', () => {
  test('in a pull errors the stream and fails the run with the same error', async () => {
    const { feed, errors, outcome, reader } = await feeding();
    const reading = reader().read();
    await flush();
    const error = new Error('503');
    feed.fail(error);
    await expect(reading).rejects.toBe(error);
    expect(await outcome).toEqual({ status: 'failed', error });
    expect(errors).toEqual([]);
  });

  test.each([
    [
      'throws',
      (error: unknown): Given =>
        () => {
          throw error;
        },
    ],
    [
      'rejects',
      (error: unknown): Given =>
        () =>
          Promise.reject(error),
    ],
  ])(
    'before there is a source, for it %s: the stream errors, whether or not it was read by then',
    async (_how, work) => {
      const error = new Error('no model');
      for (const isRead of [true, false]) {
        const release = gate();
        const { errors, outcome, reader } = await streaming(async (run) => {
          await release.promise;
          return work(error)(run);
        });
        const chunks = reader();
        const reading = isRead ? chunks.read() : undefined;
        await flush();
        release.open();
        expect(await outcome).toEqual({ status: 'failed', error });
        await expect(reading ?? chunks.read()).rejects.toBe(error);
        await flush();
        expect(errors).toEqual([]);
      }
    },
  );

  test('at once, in its synchronous part', async () => {
    const error = new Error('no model');
    const { outcome, reader } = await streaming(() => {
      throw error;
    });
    expect(await outcome).toEqual({ status: 'failed', error });
    await expect(reader().read()).rejects.toBe(error);
  });

  test.each([['text'], [undefined], [null], [['a', 'b']], [{}]])('%j is no source', async (given) => {
    const { errors, outcome, reader } = await streaming(() => given as unknown as Source);
    const failure = { code: 'INVALID_OPTIONS' };
    expect(await outcome).toMatchObject({ status: 'failed', error: failure });
    await expect(reader().read()).rejects.toMatchObject(failure);
    expect(errors).toEqual([]);
  });

  test('a locked stream is no source', async () => {
    const source = new ReadableStream<string>();
    source.getReader();
    const { outcome } = await streaming(() => source);
    expect(await outcome).toMatchObject({ status: 'failed', error: { code: 'INVALID_OPTIONS' } });
  });

  test('a source that answers with nonsense fails the run', async () => {
    const next = () => Promise.resolve(undefined as unknown as IteratorResult<string>);
    const { outcome, reader } = await streaming(() => ({ [Symbol.asyncIterator]: () => ({ next }) }));
    await expect(reader().read()).rejects.toThrow(TypeError);
    expect(await outcome).toMatchObject({ status: 'failed', error: expect.any(TypeError) });
  });

  test('and nobody reads the stream or the outcome: nothing rejects unheard', async () => {
    await streaming(() => Promise.reject(new Error('unread')));
    // Vitest fails the test file on an unhandled rejection.
    await flush();
  });
});

test.each([
  ['complete', (run: Run) => run.complete(), { status: 'completed' }],
  ['fail', (run: Run) => run.fail('enough'), { status: 'failed', error: 'enough' }],
] as const)(
  '%s() inside the work ends the stream with RUN_ENDED, and the source is told',
  async (_what, end, ended) => {
    const feed = new Feed<string>();
    const { control, outcome, reader } = await streaming((run) => {
      end(run);
      return feed;
    });
    expect(await outcome).toMatchObject(ended);
    await expect(reader().read()).rejects.toMatchObject({ code: 'RUN_ENDED' });
    await flush();
    expect(feed).toMatchObject({ pulls: 0, returns: 1 });
    expect(control.runs.list()).toEqual([]);
  },
);

test('the same id again is a duplicate, without a stream', async () => {
  const { control, runId } = await feeding({ runId: 'r' });
  const again = await control.stream({ sessionKey: 's', runId }, () => new Feed<string>());
  expect(again).toMatchObject({ status: 'duplicate', run: { runId: 'r' } });
  expect(again).not.toHaveProperty('stream');
  await control.abort('all');
});

test('work that a listener of run:started stopped is never called, and there is no stream', async () => {
  const { control } = tracked();
  let calls = 0;
  control.on('run:started', () => control.abort({ sessionKey: 's' }));
  const answer = await control.stream({ sessionKey: 's' }, () => {
    calls += 1;
    return new Feed<string>();
  });
  expect(answer).toMatchObject({ status: 'aborted', reason: 'user' });
  expect(calls).toBe(0);
});

test('work that is no function is refused', async () => {
  const { control } = tracked();
  const work = counting(1) as unknown as () => AsyncIterable<number>;
  await expect(control.stream({ sessionKey: 's' }, work)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
});

test('a stream of a ReadableStream cancels it at the cut with the reason of the signal', async () => {
  const feed = new Feed<string>();
  const { control } = await streaming(() => streamOf(feed));
  await control.abort('all');
  await flush();
  expect(feed.returns).toBe(1);
});

test('a source whose pull throws, as no iterator should, fails the stream and its run', async () => {
  const error = new Error('not an answer');
  const throwing = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        throw error;
      },
    }),
  };
  const { outcome, reader } = await streaming(() => throwing);
  await expect(reader().read()).rejects.toBe(error);
  expect(await outcome).toEqual({ status: 'failed', error });
});
