import type { AbortReason, FenceOptions } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { HOSTILE_THENABLES } from '../../support/hostile.js';
import { ABORTED, END } from '../../support/matchers.js';
import {
  Feed,
  fencedEffects,
  fencedFeed,
  started,
  streamOf,
  streamWithoutCancel,
  watching,
} from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

/** A fenced source of either shape, and how it is read and given up. */
function fenced(shape: 'iterable' | 'stream', atAbort: (reason: AbortReason) => unknown) {
  const { control, errors } = tracked();
  const run = started(control);
  const feed = new Feed<string>();
  const options = { atAbort } as FenceOptions<string>;
  const abort = () => void control.abort({ sessionKey: 's' });
  const base = { control, errors, run, feed, abort };
  if (shape === 'iterable') {
    const source = run.fence(feed, options);
    return { ...base, read: () => plain(source.next()), cancel: () => source.return?.() };
  }
  const reader = run.fence(streamOf(feed), options).getReader();
  return { ...base, read: () => reader.read() as Promise<unknown>, cancel: () => reader.cancel() };
}

/** An item as a consumer sees it. */
async function plain(item: Promise<IteratorResult<string>>): Promise<unknown> {
  const { done, value } = await item;
  return { done, value };
}

const item = (value: unknown) => ({ done: false, value });
const LAST = item('stopped: user');
const stopped = (reason: AbortReason): string => `stopped: ${reason}`;

describe.each(['iterable', 'stream'] as const)('the last item of a fenced %s', (shape) => {
  test('wakes a stuck pull at the cut, and nothing follows it (D16)', async () => {
    const { control, run, feed, read, abort } = fenced(shape, stopped);
    const pull = read();
    await flush();
    abort();
    expect(await pull).toEqual(LAST);
    expect([await read(), await read()]).toEqual([END, END]);
    expect(feed.returns).toBe(1);
    if (shape === 'iterable') {
      feed.give('late');
      await flush();
      expect(await fencedEffects(control, run)).toBe(1);
    }
    expect(await read()).toEqual(END);
    run.complete();
  });

  test('waits for a reader who is busy at the cut', async () => {
    const { run, feed, read, abort } = fenced(shape, stopped);
    const pull = read();
    await flush();
    feed.give('text');
    expect(await pull).toEqual(item('text'));
    abort();
    await flush();
    expect([await read(), await read()]).toEqual([LAST, END]);
    run.complete();
  });

  test('comes to the first of several pulls that wait; the others end', async () => {
    const { run, read, abort } = fenced(shape, stopped);
    const pulls = [read(), read(), read()];
    await flush();
    abort();
    expect(await Promise.all(pulls)).toEqual([LAST, END, END]);
    run.complete();
  });

  test('is asked for once, inside the call that stops, and in the state after the cut', async () => {
    const seen: unknown[] = [];
    const { control, run, abort } = fenced(shape, (reason) => {
      seen.push([reason, run.isCurrent(), run.status, control.runs.isActive('s')]);
      return reason;
    });
    abort();
    abort();
    expect(seen).toEqual([['user', false, 'stopping', false]]);
    await flush();
    run.complete();
    expect(seen).toHaveLength(1);
  });

  test('is not asked for after the consumer has given up', async () => {
    let asked = 0;
    const { run, feed, read, cancel, abort } = fenced(shape, () => (asked += 1));
    await cancel();
    abort();
    expect(await read()).toEqual(END);
    expect([asked, feed.returns]).toEqual([0, 1]);
    run.complete();
  });

  test('is dropped when the consumer gives up before it has read it', async () => {
    const { run, feed, read, cancel, abort } = fenced(shape, stopped);
    abort();
    await cancel();
    expect(await read()).toEqual(END);
    expect(feed.returns).toBe(1);
    run.complete();
  });

  test('is not there after a normal end: RUN_ENDED', async () => {
    let asked = 0;
    const { run, feed, read } = fenced(shape, () => (asked += 1));
    const pull = watching(read());
    await flush();
    run.complete();
    await flush();
    expect(pull).toMatchObject({ state: 'rejected', result: { code: 'RUN_ENDED' } });
    await expect(read()).rejects.toMatchObject({ code: 'RUN_ENDED' });
    expect([asked, feed.returns]).toEqual([0, 1]);
  });

  test('is not there for a source that has ended before the cut', async () => {
    let asked = 0;
    const { run, feed, read, abort } = fenced(shape, () => (asked += 1));
    const pull = read();
    await flush();
    feed.end();
    expect(await pull).toEqual(END);
    abort();
    expect(await read()).toEqual(END);
    expect(asked).toBe(0);
    run.complete();
  });

  test('is given by a source that is fenced after the cut', async () => {
    const { control } = tracked();
    const run = started(control);
    void control.abort({ sessionKey: 's' });
    const feed = new Feed<string>();
    const read =
      shape === 'iterable'
        ? readOf(run.fence(feed, { atAbort: stopped }))
        : readOf(run.fence(streamOf(feed), { atAbort: stopped }).getReader());
    expect([await read(), await read()]).toEqual([LAST, END]);
    expect(feed).toMatchObject({ pulls: 0, returns: 1 });
    run.complete();
  });

  describe('whose function', () => {
    test('throws: onError hears it, and the source errors (D17)', async () => {
      const error = new Error('no last item');
      const { run, errors, read, feed, abort } = fenced(shape, () => {
        throw error;
      });
      const pulls = [read(), read()].map(watching);
      await flush();
      abort();
      await flush();
      expect(pulls).toEqual(Array(2).fill({ state: 'rejected', result: ABORTED }));
      await expect(read()).rejects.toBe(run.signal.reason);
      expect(errors).toEqual([error]);
      expect(feed.returns).toBe(1);
      run.complete();
    });

    test.each<[string, () => unknown]>([
      ['a promise', async () => 'stopped'],
      ['a promise that rejects', () => Promise.reject(new Error('unheard'))],
    ])('gives %s: onError hears it, and the source errors', async (_what, give) => {
      const { run, errors, read, abort } = fenced(shape, give);
      abort();
      await expect(read()).rejects.toEqual(ABORTED);
      await flush();
      expect(errors).toEqual([
        expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining('promise') }),
      ]);
      run.complete();
    });

    test.each(HOSTILE_THENABLES)('gives %s: its own run alone has the harm', async (_what, make) => {
      const { control, run, errors, read, abort } = fenced(shape, make);
      const other = started(control, { sessionKey: 's', whenBusy: 'concurrent' });
      const pull = watching(read());
      await flush();
      abort();
      await flush();
      expect(pull).toEqual({ state: 'rejected', result: ABORTED });
      expect([run.status, other.status, errors.length]).toEqual(['stopping', 'stopping', 1]);
      run.complete();
      other.complete();
    });

    test('aborts again, or everything: the first reason stays, and its item is given', async () => {
      const { control, run, read } = fenced(shape, (reason) => {
        void control.abort('all', { reason: 'policy' });
        return reason;
      });
      const other = started(control, { sessionKey: 'other' });
      const pull = read();
      await flush();
      void control.abort({ sessionKey: 's' });
      expect(await pull).toEqual(item('user'));
      expect([run.reason, other.reason]).toEqual(['user', 'policy']);
      run.complete();
      other.complete();
    });

    test('reads its own source: that read is behind those who waited', async () => {
      for (const waits of [true, false]) {
        const inside: Promise<unknown>[] = [];
        const { run, read, abort } = fenced(shape, (reason) => {
          inside.push(read());
          return reason;
        });
        const pull = waits ? read() : undefined;
        await flush();
        abort();
        const answers = await Promise.all(pull === undefined ? inside : [pull, ...inside]);
        expect(answers).toEqual(waits ? [item('user'), END] : [item('user')]);
        expect(await read()).toEqual(END);
        run.complete();
      }
    });

    test('gives up its own source: it ends, and the producer is told once', async () => {
      const { run, errors, feed, read, cancel, abort } = fenced(shape, (reason) => {
        void cancel();
        return reason;
      });
      const pull = read();
      await flush();
      abort();
      expect([await pull, await read()]).toEqual([END, END]);
      expect(errors).toEqual([]);
      expect(feed.returns).toBe(1);
      run.complete();
    });

    test('ends the run: the cut stands', async () => {
      const { run, read, abort } = fenced(shape, (reason) => {
        run.complete('too late');
        return reason;
      });
      abort();
      expect([await read(), await read()]).toEqual([item('user'), END]);
      expect(run).toMatchObject({ status: expect.not.stringMatching('completed'), reason: 'user' });
    });
  });
});

describe('an item that was fulfilled and not read at the cut', () => {
  test('is the last item instead, and counted as dropped', async () => {
    const { control, run, feed, source, abort } = fencedFeed({ atAbort: stopped });
    const pull = source.next();
    feed.give('text');
    const unread = await pull;
    abort();
    expect([unread.value, unread.done, unread.value]).toEqual(['stopped: user', false, 'stopped: user']);
    expect(await source.next()).toEqual(END);
    expect(await fencedEffects(control, run)).toBe(1);
    run.complete();
  });

  test('leaves the last item to it, and the pull behind it ends', async () => {
    const { run, feed, source, abort } = fencedFeed({ atAbort: stopped });
    const [first, second] = [source.next(), source.next()];
    feed.give('text');
    const unread = await first;
    abort();
    expect([unread.done, unread.value]).toEqual([false, 'stopped: user']);
    expect((await second).done).toBe(true);
    run.complete();
  });

  test('and is never looked at: the next read gets the last item', async () => {
    const { run, feed, source, abort } = fencedFeed({ atAbort: stopped });
    const pull = source.next();
    feed.give('text');
    const unread = await pull;
    abort();
    expect(await plain(source.next())).toEqual(LAST);
    expect([unread.done, unread.value]).toEqual([true, undefined]);
    run.complete();
  });
});

test('a loop gets the last item and then ends', async () => {
  const { run, feed, source, abort } = fencedFeed({ atAbort: stopped });
  const items: string[] = [];
  const reading = (async () => {
    for await (const text of source) items.push(text);
  })();
  feed.give('text');
  await flush();
  abort();
  await reading;
  expect(items).toEqual(['text', 'stopped: user']);
  run.complete();
});

test('one stop cuts two runs: a listener of the one reads the source of the other, which has its last item', async () => {
  const { control } = tracked();
  const first = started(control);
  const second = started(control, { whenBusy: 'concurrent' });
  const sources = [first, second].map((run) => run.fence(new Feed<string>(), { atAbort: stopped }));
  const reads: Promise<unknown>[] = [];
  for (const run of [first, second]) {
    run.signal.addEventListener('abort', () => {
      if (reads.length === 0) for (const source of sources) reads.push(plain(source.next()));
    });
  }
  void control.abort({ sessionKey: 's' });
  expect(await Promise.all(reads)).toEqual([LAST, LAST]);
  for (const source of sources) expect(await source.next()).toEqual(END);
  first.complete();
  second.complete();
});

test('a chunk that comes after the cut does not follow the last one, and is counted', async () => {
  const { control } = tracked();
  const run = started(control);
  const chunk = gate<string>();
  const reader = run.fence(streamWithoutCancel(chunk.promise), { atAbort: stopped }).getReader();
  const reading = reader.read();
  await flush();
  void control.abort('all');
  chunk.open('late');
  expect(await reading).toEqual(LAST);
  expect(await reader.read()).toEqual(END);
  await flush();
  expect(await fencedEffects(control, run)).toBe(1);
  run.complete();
});

test('a last item that is undefined is an item', async () => {
  const { run, source, abort } = fencedFeed({ atAbort: () => undefined as unknown as string });
  abort();
  expect([await plain(source.next()), await source.next()]).toEqual([item(undefined), END]);
  run.complete();
});

test('the old name `reject` is refused, and the error names the new one', () => {
  const { control } = tracked();
  const run = started(control);
  expect(() => run.fence(new Feed<string>(), { atAbort: 'reject' as 'error' })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining("atAbort: 'error'") }),
  );
  run.complete();
});

function readOf(source: { next(): Promise<unknown> } | { read(): Promise<unknown> }): () => Promise<unknown> {
  return async () => {
    const { done, value } = (await ('read' in source ? source.read() : source.next())) as IteratorResult<unknown>;
    return { done, value };
  };
}
