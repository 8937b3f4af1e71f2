import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { ABORTED, END } from '../../support/matchers.js';
import { queued } from '../../support/queued.js';
import {
  afterMicrotasks,
  counting,
  Feed,
  fencedEffects,
  fencedFeed,
  started,
  watching,
} from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';

type Read = (source: AsyncIterator<string>, seen: (item: string) => void) => Promise<unknown>;

const READERS: [string, Read][] = [
  [
    'for await',
    async (source, seen) => {
      for await (const item of source as AsyncIterableIterator<string>) seen(item);
    },
  ],
  [
    'next(), done before value',
    async (source, seen) => {
      const { done, value } = await source.next();
      if (done !== true) seen(value);
    },
  ],
  [
    'next(), value before done',
    async (source, seen) => {
      const { value, done } = await source.next();
      if (done !== true) seen(value);
    },
  ],
  [
    'next().then()',
    (source, seen) =>
      source.next().then((item) => {
        if (item.done !== true) seen(item.value);
      }),
  ],
];

describe.each(READERS)('read by %s', (_name, read) => {
  test.each([0, 1, 2, 3, 4, 5])(
    'an item that was fulfilled before the cut, %i microtasks earlier, is read before it or not at all',
    async (steps) => {
      const { control, run, feed, source, abort } = fencedFeed();
      const reads: ('in time' | 'late')[] = [];
      const reading = read(source, () => reads.push(run.isCurrent() ? 'in time' : 'late'));
      const outcome = watching(reading);
      await flush();
      feed.give('text');
      afterMicrotasks(steps, abort);
      await flush();
      expect(reads).not.toContain('late');
      expect(reads.length + (await fencedEffects(control, run))).toBe(1);
      if (reads.length === 0) expect(outcome).toEqual({ state: 'rejected', result: ABORTED });
      run.complete();
    },
  );

  test('an item that nobody cuts is read', async () => {
    const { run, feed, source } = fencedFeed();
    const items: string[] = [];
    const reading = watching(read(source, (item) => items.push(item)));
    await flush();
    feed.give('text');
    await flush();
    expect(items).toEqual(['text']);
    run.complete();
    await flush();
    expect(reading.state).not.toBe('pending');
  });
});

test('an item that was read before the cut stays what it is', async () => {
  const { run, feed, source, abort } = fencedFeed();
  const pull = source.next();
  feed.give('text');
  const item = await pull;
  expect(item.done).toBe(false);
  abort();
  expect([item.value, item.done]).toEqual(['text', false]);
  run.complete();
});

test('an item that is looked at after the cut is refused as often as it is looked at, and counted once', async () => {
  const { control, run, feed, source, abort } = fencedFeed();
  const pull = source.next();
  feed.give('text');
  const item = await pull;
  abort();
  expect(() => item.value).toThrow(run.signal.reason as Error);
  expect(() => item.done).toThrow(run.signal.reason as Error);
  expect(await fencedEffects(control, run)).toBe(1);
  run.complete();
});

test('a stuck pull wakes at the cut, with the reason of the signal (H9)', async () => {
  const { run, source, abort } = fencedFeed();
  const pull = watching(source.next());
  abort();
  await flush();
  expect(pull).toEqual({ state: 'rejected', result: run.signal.reason });
  expect(pull.result).toEqual(ABORTED);
  run.complete();
});

test('an item that comes after the cut is dropped and counted', async () => {
  const { control, run, feed, source, abort } = fencedFeed();
  const pull = watching(source.next());
  abort();
  feed.give('late');
  await flush();
  expect(pull.state).toBe('rejected');
  expect(await fencedEffects(control, run)).toBe(1);
  run.complete();
});

test('after the cut the source is not asked any more', async () => {
  const { run, feed, source, abort } = fencedFeed();
  abort();
  await expect(source.next()).rejects.toEqual(ABORTED);
  await expect(source.next()).rejects.toEqual(ABORTED);
  expect(feed).toMatchObject({ pulls: 0, returns: 1 });
  run.complete();
});

test('a source that is fenced after the cut is told, and not asked', async () => {
  const { run, abort } = fencedFeed();
  abort();
  const feed = new Feed<string>();
  await expect(run.fence(feed).next()).rejects.toEqual(ABORTED);
  expect(feed).toMatchObject({ pulls: 0, returns: 1 });
  run.complete();
});

describe('atAbort: end', () => {
  test('a stuck pull ends at the cut', async () => {
    const { run, feed, source, abort } = fencedFeed({ atAbort: 'end' });
    const pull = source.next();
    abort();
    expect(await pull).toEqual(END);
    expect(await source.next()).toEqual(END);
    expect(feed.returns).toBe(1);
    run.complete();
  });

  test('an item that was fulfilled and not read is the end, and counted', async () => {
    const { control, run, feed, source, abort } = fencedFeed({ atAbort: 'end' });
    const pull = source.next();
    feed.give('text');
    const item = await pull;
    abort();
    expect([item.value, item.done]).toEqual([undefined, true]);
    expect(await fencedEffects(control, run)).toBe(1);
    run.complete();
  });

  test('a loop ends as if the source had ended', async () => {
    const { run, abort } = fencedFeed();
    const items: number[] = [];
    for await (const item of run.fence(counting(5), { atAbort: 'end' })) {
      items.push(item);
      if (item === 2) abort();
    }
    expect(items).toEqual([1, 2]);
    run.complete();
  });
});

describe('after a normal end', () => {
  test('a stuck pull and later ones reject with RUN_ENDED, and the producer is told', async () => {
    const { run, feed, source } = fencedFeed();
    const pull = source.next();
    run.complete();
    await expect(pull).rejects.toMatchObject({ code: 'RUN_ENDED' });
    await expect(source.next()).rejects.toMatchObject({ code: 'RUN_ENDED' });
    expect(feed.returns).toBe(1);
  });

  test('an item that was fulfilled and not read is not delivered', async () => {
    const { run, feed, source } = fencedFeed();
    const pull = source.next();
    feed.give('text');
    const item = await pull;
    run.complete();
    expect(() => item.value).toThrow(expect.objectContaining({ code: 'RUN_ENDED' }));
  });
});

test('a source whose pull aborts the run in its synchronous part is woken', async () => {
  const { control } = tracked();
  const run = started(control);
  const next = () => {
    void control.abort('all');
    return new Promise<never>(() => {});
  };
  const iterator = { next, return: async () => ({ done: true as const, value: undefined }) };
  await expect(run.fence({ [Symbol.asyncIterator]: () => iterator }).next()).rejects.toEqual(ABORTED);
  run.complete();
  await flush();
});

test.each([
  [0, 'rejected'],
  [1, 'rejected'],
  [2, 'fulfilled'],
])('a fence over the fence of a run that is cut %i microtasks after an item is %s', async (steps, state) => {
  const { control } = tracked();
  const inner = started(control, { sessionKey: 'inner' });
  const outer = started(control, { sessionKey: 'outer' });
  const feed = new Feed<string>();
  const pull = watching(outer.fence(inner.fence(feed)).next());
  feed.give('text');
  afterMicrotasks(steps, () => void control.abort({ sessionKey: 'inner' }));
  await flush();
  expect(pull.state).toBe(state);
  inner.complete();
  outer.complete();
});

test('a source of a queued run is refused, and not touched', async () => {
  const { control } = tracked();
  const first = started(control);
  const waiting = await queued(control);
  const feed = new Feed<string>();
  expect(() => waiting.run.fence(feed)).toThrow(expect.objectContaining({ code: 'RUN_QUEUED' }));
  expect(feed).toMatchObject({ pulls: 0, returns: 0 });
  first.complete();
  waiting.run.complete();
});
