import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { ABORTED, END } from '../../support/matchers.js';
import { Feed, fencedFeed, started, watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

describe('the producer is told once', () => {
  test('when the consumer breaks, and not again at the cut', async () => {
    const { run, feed, source, abort } = fencedFeed();
    const reading = (async () => {
      for await (const _ of source) break;
    })();
    feed.give('text');
    await reading;
    abort();
    expect(feed.returns).toBe(1);
    run.complete();
  });

  test('when the run is cut, and not again when the consumer breaks (D15)', async () => {
    const { run, feed, source, abort } = fencedFeed();
    const reading = (async () => {
      for await (const _ of source) {
        abort();
        break;
      }
    })();
    feed.give('text');
    await reading;
    expect(feed.returns).toBe(1);
    run.complete();
  });

  test('when the consumer gives up twice', async () => {
    const { run, feed, source } = fencedFeed();
    await source.return?.();
    await source.return?.();
    expect(feed.returns).toBe(1);
    run.complete();
  });

  test('when the consumer throws into it: the producer is ended, and the consumer gets its error back', async () => {
    const { run, feed, source, abort } = fencedFeed();
    const pull = source.next();
    const error = new Error('no more');
    await expect(source.throw?.(error)).rejects.toBe(error);
    expect(await pull).toEqual(END);
    abort();
    expect(feed.returns).toBe(1);
    run.complete();
  });

  test('not at all when it has failed by itself', async () => {
    const { run, feed, source, abort } = fencedFeed();
    const error = new Error('503');
    const pull = source.next();
    feed.fail(error);
    await expect(pull).rejects.toBe(error);
    expect(await source.next()).toEqual(END);
    await source.return?.();
    abort();
    expect(feed.returns).toBe(0);
    run.complete();
  });

  test('not at all when it has ended by itself', async () => {
    const { run, feed, source, abort } = fencedFeed();
    const pull = source.next();
    feed.end();
    expect(await pull).toEqual(END);
    abort();
    expect(await source.next()).toEqual(END);
    expect(feed).toMatchObject({ pulls: 1, returns: 0 });
    run.complete();
  });

  test('and the cut does not wait for its clean-up', async () => {
    const { run, feed, source, abort } = fencedFeed();
    const cleanUp = gate();
    feed.onReturn = () => cleanUp.promise;
    const pull = source.next();
    abort();
    await expect(pull).rejects.toEqual(ABORTED);
    await source.return?.();
    expect(feed.returns).toBe(1);
    run.complete();
    cleanUp.open();
    await flush();
  });

  test('a producer whose clean-up hangs is a leftover, by name, until it is over', async () => {
    const { control, run, feed, source } = fencedFeed();
    const cleanUp = gate();
    feed.onReturn = () => cleanUp.promise;
    const pull = source.next();
    const receipt = await control.abort('all');
    await expect(pull).rejects.toEqual(ABORTED);
    run.complete();
    const early = await receipt.whenQuiet({ timeoutMs: 0 });
    expect(early.runs[0]).toMatchObject({ state: 'leftovers', leftovers: ['source'] });
    cleanUp.open();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test('a stuck pull of a source that cannot be told is a leftover until it is answered', async () => {
    const { control } = tracked();
    const run = started(control);
    const stuck = gate<IteratorResult<string>>();
    const pull = run.fence({ [Symbol.asyncIterator]: () => ({ next: () => stuck.promise }) }).next();
    const receipt = await control.abort('all');
    await expect(pull).rejects.toEqual(ABORTED);
    run.complete();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs[0]?.leftovers).toEqual(['source']);
    stuck.open({ done: true, value: undefined });
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });
});

describe('a clean-up that fails after the cut', () => {
  test.each([
    ['rejects', (error: unknown) => async () => Promise.reject(error)],
    [
      'throws',
      (error: unknown) => () => {
        throw error;
      },
    ],
  ])('goes to onError when it %s', async (_how, failing) => {
    const { control, errors } = tracked();
    const run = started(control);
    const error = new Error('the socket is gone');
    const feed = Object.assign(new Feed<string>(), { return: failing(error) });
    const pull = run.fence(feed).next();
    void control.abort('all');
    await expect(pull).rejects.toEqual(ABORTED);
    expect(errors).toEqual([error]);
    run.complete();
  });

  test('is swallowed when it only says that it was aborted', async () => {
    const { run, errors, feed, abort } = fencedFeed();
    feed.onReturn = () => Promise.reject(new DOMException('stopped', 'AbortError'));
    abort();
    await flush();
    expect(errors).toEqual([]);
    run.complete();
  });
});

test('the error of a pull that fails after the cut goes to onError, unless it says aborted', async () => {
  const { run, errors, feed, source, abort } = fencedFeed();
  const pull = source.next();
  abort();
  await expect(pull).rejects.toEqual(ABORTED);
  const error = new Error('socket hang up');
  feed.fail(error);
  await flush();
  expect(errors).toEqual([error]);
  run.complete();
});

test('a source that throws instead of answering rejects the pull', async () => {
  const { control } = tracked();
  const run = started(control);
  const error = new Error('not connected');
  const next = (): never => {
    throw error;
  };
  const source = run.fence({ [Symbol.asyncIterator]: () => ({ next }) });
  await expect(source.next()).rejects.toBe(error);
  expect(await source.next()).toEqual(END);
  run.complete();
});

test('a source that answers with nonsense rejects the pull', async () => {
  const { control } = tracked();
  const run = started(control);
  const next = () => Promise.resolve(undefined as unknown as IteratorResult<string>);
  await expect(run.fence({ [Symbol.asyncIterator]: () => ({ next }) }).next()).rejects.toThrow(TypeError);
  run.complete();
});

describe('concurrent next()', () => {
  test('asks the source for one item at a time, and answers in the order of the calls', async () => {
    const { run, feed, source } = fencedFeed();
    const got: string[] = [];
    const pull = (name: string) => source.next().then(({ value }) => got.push(`${name}=${value}`));
    const pulls = [pull('a'), pull('b'), pull('c')];
    expect(feed.pulls).toBe(1);
    feed.give('1');
    await pulls[0];
    // Called while the second is on its way, and so behind the third.
    pulls.push(pull('d'));
    for (const item of ['2', '3', '4']) {
      await flush();
      feed.give(item);
    }
    await Promise.all(pulls);
    expect(got).toEqual(['a=1', 'b=2', 'c=3', 'd=4']);
    run.complete();
  });

  test('rejects all of them at the cut, and asks no more', async () => {
    const { run, feed, source, abort } = fencedFeed();
    const pulls = [source.next(), source.next(), source.next()].map(watching);
    abort();
    await flush();
    expect(pulls).toEqual(Array(3).fill({ state: 'rejected', result: ABORTED }));
    expect(feed.pulls).toBe(1);
    run.complete();
  });

  test('ends those behind the last item', async () => {
    const { run, feed, source } = fencedFeed();
    const pulls = [source.next(), source.next(), source.next()];
    feed.end();
    expect(await Promise.all(pulls)).toEqual([END, END, END]);
    expect(feed.pulls).toBe(1);
    run.complete();
  });

  test('gives an error to the pull that met it, and ends those behind it', async () => {
    const { run, feed, source } = fencedFeed();
    const [first, second] = [source.next(), source.next()];
    const error = new Error('503');
    feed.fail(error);
    await expect(first).rejects.toBe(error);
    expect(await second).toEqual(END);
    run.complete();
  });

  test('return() ends them', async () => {
    const { run, source } = fencedFeed();
    const pulls = [source.next(), source.next()];
    await source.return?.();
    expect(await Promise.all(pulls)).toEqual([END, END]);
    run.complete();
  });
});

test('a pull that nobody awaits does not reject unheard at the cut', async () => {
  const { run, source, abort } = fencedFeed();
  void source.next();
  void source.next();
  abort();
  void source.next();
  // Vitest fails the test file on an unhandled rejection.
  await flush();
  run.complete();
});

test.each([
  { when: 'at once where nobody has pulled', pulls: 0 },
  { when: 'when its pull in flight is answered', pulls: 1 },
])('a source that cannot be told is gone $when', async ({ pulls }) => {
  const { control } = tracked();
  const run = started(control);
  const answer = gate<IteratorResult<string>>();
  const source = run.fence({ [Symbol.asyncIterator]: () => ({ next: () => answer.promise }) });
  const refused = pulls === 0 ? [] : [expect(source.next()).rejects.toEqual(ABORTED)];
  const receipt = await control.abort('all');
  run.complete();
  expect((await receipt.whenQuiet({ timeoutMs: 0 })).quiet).toBe(pulls === 0);
  await Promise.all(refused);
  answer.open({ done: false, value: 'late' });
  await flush();
  expect((await receipt.whenQuiet({ timeoutMs: 0 })).quiet).toBe(true);
});
