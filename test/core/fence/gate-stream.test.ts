import { type Backend, type GateStreamOptions, isRunAbortedError, type Run } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { abortedCall, END } from '../../support/matchers.js';
import { queued } from '../../support/queued.js';
import { counting, Feed, fencedEffects, started, streamOf, watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const BACKENDS: [string, () => Backend | undefined][] = [
  ['the private ledger', () => undefined],
  ['memory', () => memory()],
  ['a backend that answers later', () => new FaultyBackend({ over: memory() })],
];

async function running(backend?: Backend) {
  const { control, errors, clock } = tracked(backend === undefined ? {} : { backend });
  const run = await begin(control);
  return { control, errors, clock, run, abort: () => void control.abort({ sessionKey: 's' }) };
}

/** A generator that notes what becomes of its body. */
function noting(run: Run, options: GateStreamOptions<string> = {}) {
  const seen: string[] = [];
  const step = gate();
  const tool = run.gateStream(async function* (name: string) {
    seen.push(`began ${name}`);
    try {
      yield 'first';
      await step.promise;
      yield 'second';
    } finally {
      seen.push('unwound');
    }
  }, options);
  return { seen, step, tool };
}

describe.each(BACKENDS)('on %s, a gated generator', (_name, make) => {
  test('gives its items, and begins with the first pull (I24)', async () => {
    const { run } = await running(make());
    const { seen, step, tool } = noting(run);
    const items = tool('search');
    await flush();
    expect(seen).toEqual([]);
    const all: string[] = [];
    step.open();
    for await (const item of items) all.push(item);
    expect(all).toEqual(['first', 'second']);
    expect(seen).toEqual(['began search', 'unwound']);
    run.complete();
    await flush();
  });

  test('that is pulled after the cut is never called, says so, and is counted', async () => {
    const { control, run, abort } = await running(make());
    const { seen, tool } = noting(run);
    const before = tool('before');
    abort();
    for (const items of [before, tool('after')]) {
      await expect(items.next()).rejects.toEqual(abortedCall(false));
      await expect(items.next()).rejects.toEqual(abortedCall(false));
    }
    expect(seen).toEqual([]);
    expect(await fencedEffects(control, run)).toBe(2);
    run.complete();
    await flush();
  });

  test('that nobody pulls leaves nothing', async () => {
    const { control, run } = await running(make());
    const { seen, tool } = noting(run);
    void tool('unread');
    const receipt = await control.abort('all');
    run.complete();
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: true, runs: [{ fencedEffects: 0 }] });
    expect(seen).toEqual([]);
  });

  test('between two items: the stuck pull rejects as started, the body unwinds, and is a leftover until then', async () => {
    const { control, run } = await running(make());
    const { seen, step, tool } = noting(run, { name: 'search' });
    const items = tool('x');
    expect((await items.next()).value).toBe('first');
    const stuck = watching(items.next());
    await flush();
    const receipt = await control.abort({ sessionKey: 's' });
    await flush();
    expect(stuck).toEqual({ state: 'rejected', result: abortedCall(true) });
    await expect(items.next()).rejects.toEqual(abortedCall(true));
    run.complete();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs[0]).toMatchObject({ leftovers: ['search'] });
    step.open();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true, runs: [{ fencedEffects: 1 }] });
    expect(seen).toEqual(['began x', 'unwound']);
  });

  test('whose reader is busy at the cut: the next pull rejects, and nothing more is asked of it', async () => {
    const { run, abort } = await running(make());
    const { seen, tool } = noting(run);
    const items = tool('x');
    await items.next();
    abort();
    await expect(items.next()).rejects.toEqual(abortedCall(true));
    await flush();
    expect(seen).toEqual(['began x', 'unwound']);
    run.complete();
    await flush();
  });

  test('an item that was ready and not read at the cut is not delivered', async () => {
    const { control, run, abort } = await running(make());
    const items = run.gateStream(() => counting(3))();
    const item = await items.next();
    abort();
    expect(() => item.value).toThrow(expect.objectContaining({ code: 'RUN_ABORTED', started: true }));
    expect(await fencedEffects(control, run)).toBe(1);
    run.complete();
    await flush();
  });

  test('after a normal end: RUN_ENDED, and it is not called', async () => {
    const { run } = await running(make());
    const { seen, tool } = noting(run);
    const items = tool('x');
    run.complete();
    await expect(items.next()).rejects.toMatchObject({ code: 'RUN_ENDED', started: false });
    await expect(tool('y').next()).rejects.toMatchObject({ code: 'RUN_ENDED', started: false });
    expect(seen).toEqual([]);
    await flush();
  });

  test('of a run that ends meanwhile: a stuck pull rejects with RUN_ENDED, and the body unwinds', async () => {
    const { run } = await running(make());
    const { seen, step, tool } = noting(run);
    const items = tool('x');
    await items.next();
    const stuck = watching(items.next());
    await flush();
    run.complete();
    await flush();
    expect(stuck).toMatchObject({ state: 'rejected', result: { code: 'RUN_ENDED', started: true } });
    step.open();
    await flush();
    expect(seen).toEqual(['began x', 'unwound']);
  });

  test.each<[string, GateStreamOptions<string>, unknown[]]>([
    ['end', { atAbort: 'end' }, [END, END]],
    ['a last item', { atAbort: (reason) => `stopped: ${reason}` }, [{ done: false, value: 'stopped: user' }, END]],
  ])('obeys its atAbort: %s', async (_what, options, expected) => {
    const { run, abort } = await running(make());
    const plain = async (items: AsyncIterator<string>) => {
      const { done, value } = await items.next();
      return { done, value };
    };
    const { step, tool } = noting(run, options);
    const items = tool('x');
    await items.next();
    const stuck = plain(items);
    await flush();
    abort();
    expect([await stuck, await plain(items)]).toEqual(expected);
    const late = tool('late');
    expect([await plain(late), await plain(late)]).toEqual(expected);
    step.open();
    run.complete();
    await flush();
  });

  test('whose consumer gives up is a leftover until it has unwound, also if the stop lands meanwhile', async () => {
    const { control, run } = await running(make());
    const cleanUp = gate();
    const feed = new Feed<string>();
    feed.onReturn = () => cleanUp.promise;
    const items = run.gateStream(() => feed, { name: 'search' })();
    const pull = items.next();
    await flush();
    feed.give('a');
    await pull;
    const returning = watching(items.return?.() as Promise<unknown>);
    const receipt = await control.abort('all');
    run.complete();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs[0]).toMatchObject({ leftovers: ['search'] });
    expect(returning.state).toBe('pending');
    cleanUp.open();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(returning).toEqual({ state: 'fulfilled', result: END });
    expect(feed.returns).toBe(1);
    expect(await items.next()).toEqual(END);
  });

  test('whose consumer gives up before the first pull is never called', async () => {
    const { run } = await running(make());
    const { seen, tool } = noting(run);
    const items = tool('x');
    await items.return?.();
    expect(await items.next()).toEqual(END);
    expect(seen).toEqual([]);
    run.complete();
    await flush();
  });
});

describe('what a gated function may give', () => {
  test.each<[string, (feed: Feed<string>) => AsyncIterable<string> | ReadableStream<string>]>([
    ['an async iterable', (feed) => feed],
    ['a ReadableStream', streamOf],
  ])('%s, also by promise: a stuck pull wakes at the cut, and the producer is told once', async (_what, source) => {
    for (const isPromise of [false, true]) {
      const { run, errors, abort } = await running();
      const feed = new Feed<string>();
      const items = run.gateStream((): AsyncIterable<string> | Promise<AsyncIterable<string>> => {
        const given = source(feed) as AsyncIterable<string>;
        return isPromise ? Promise.resolve(given) : given;
      })();
      const first = items.next();
      await flush();
      feed.give('a');
      expect((await first).value).toBe('a');
      const stuck = watching(items.next());
      await flush();
      abort();
      await flush();
      expect(stuck).toEqual({ state: 'rejected', result: abortedCall(true) });
      expect(feed.returns).toBe(1);
      expect(errors).toEqual([]);
      feed.end();
      run.complete();
    }
  });

  test('a ReadableStream is cancelled with the reason of the signal', async () => {
    const { run, abort } = await running();
    const reasons: unknown[] = [];
    const source = new ReadableStream<string>({ cancel: (reason) => void reasons.push(reason) }, { highWaterMark: 0 });
    const pull = watching(
      run
        .gateStream(() => source)()
        .next(),
    );
    await flush();
    abort();
    await flush();
    expect(pull.state).toBe('rejected');
    expect(reasons).toEqual([run.signal.reason]);
    run.complete();
  });

  test.each([['text'], [undefined], [5], [['a']], [{}]])('not %j: INVALID_OPTIONS', async (given) => {
    const { run } = await running();
    const items = run.gateStream(() => given as unknown as AsyncIterable<string>)();
    await expect(items.next()).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(await items.next()).toEqual(END);
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });

  test('not a stream that has a reader already', async () => {
    const { run } = await running();
    const source = new ReadableStream<string>();
    source.getReader();
    await expect(
      run
        .gateStream(() => source)()
        .next(),
    ).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    run.complete();
  });

  test('an error: it is that of the pull, and its run goes on', async () => {
    const { run, errors } = await running();
    const error = new Error('no such file');
    const tools = [
      () => {
        throw error;
      },
      () => Promise.reject(error),
      async function* () {
        yield await Promise.reject(error);
      },
    ] as (() => AsyncIterable<string>)[];
    for (const tool of tools) {
      const items = run.gateStream(tool)();
      await expect(items.next()).rejects.toBe(error);
      expect(await items.next()).toEqual(END);
    }
    expect([run.isCurrent(), errors]).toEqual([true, []]);
    run.complete();
  });
});

describe('the stop lands', () => {
  test('while the function is still to give its source: it is told when it comes, never asked, and a leftover until then', async () => {
    for (const endsBy of ['source', 'failure', 'abort error'] as const) {
      const { control, run, errors } = await running();
      const source = gate<AsyncIterable<string>>();
      const feed = new Feed<string>();
      const pull = watching(
        run
          .gateStream(() => source.promise, { name: 'model' })()
          .next(),
      );
      await flush();
      const receipt = await control.abort('all');
      await flush();
      expect(pull).toEqual({ state: 'rejected', result: abortedCall(true) });
      run.complete();
      expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs[0]).toMatchObject({ leftovers: ['model'] });
      const error = new Error('503');
      if (endsBy === 'source') source.open(feed);
      else source.fail(endsBy === 'failure' ? error : new DOMException('stopped', 'AbortError'));
      expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
      expect(feed).toMatchObject({ pulls: 0, returns: endsBy === 'source' ? 1 : 0 });
      expect(errors).toEqual(endsBy === 'failure' ? [error] : []);
    }
  });

  test('while a source that cannot be told is asked: it is a leftover until it answers', async () => {
    const { control, run } = await running();
    const answer = gate<IteratorResult<string>>();
    const tool = run.gateStream(() => ({ [Symbol.asyncIterator]: () => ({ next: () => answer.promise }) }));
    const pull = watching(tool().next());
    const receipt = await control.abort('all');
    run.complete();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).quiet).toBe(false);
    answer.open({ done: false, value: 'late' });
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(pull).toEqual({ state: 'rejected', result: abortedCall(true) });
  });

  test('in the synchronous part of the function, or of the body', async () => {
    for (const where of ['function', 'body'] as const) {
      const { run, abort } = await running();
      const seen: string[] = [];
      async function* body() {
        if (where === 'body') abort();
        seen.push('body');
        yield 'late';
        seen.push('after the item');
      }
      const items = run.gateStream(() => {
        if (where === 'function') abort();
        return body();
      })();
      await expect(items.next()).rejects.toEqual(abortedCall(true));
      await flush();
      expect(seen).toEqual(where === 'body' ? ['body'] : []);
      run.complete();
      await flush();
    }
  });

  test('while the clean-up fails: onError hears it, unless it says aborted', async () => {
    for (const [error, heard] of [
      [new Error('the socket is gone'), 1],
      [new DOMException('stopped', 'AbortError'), 0],
    ] as const) {
      const { run, errors, abort } = await running();
      const feed = new Feed<string>();
      feed.onReturn = () => Promise.reject(error);
      const pull = watching(
        run
          .gateStream(() => feed)()
          .next(),
      );
      abort();
      await flush();
      expect(pull.state).toBe('rejected');
      expect(errors).toEqual(heard === 1 ? [error] : []);
      feed.end();
      run.complete();
      await flush();
    }
  });
});

test('each pull rejects with an error of its own', async () => {
  const { run, abort } = await running();
  const items = run.gateStream(() => new Feed<string>())();
  const pulls = [items.next(), items.next()];
  abort();
  const [first, second] = (await Promise.allSettled(pulls)) as PromiseRejectedResult[];
  expect(first?.reason).toEqual(abortedCall(true));
  expect(isRunAbortedError(second?.reason) && second.reason !== first?.reason).toBe(true);
  expect(first?.reason).not.toBe(run.signal.reason);
  run.complete();
  await flush();
});

test('a call of a queued run says that the run has not started; one after the start is served', async () => {
  const { control } = tracked();
  const first = started(control);
  const waiting = await queued(control);
  const tool = waiting.run.gateStream(() => counting(1));
  await expect(tool().next()).rejects.toMatchObject({ code: 'RUN_QUEUED', started: false });
  first.complete();
  expect((await tool().next()).value).toBe(1);
  waiting.run.complete();
});

test('several calls of one function are calls of their own', async () => {
  const { run } = await running();
  const tool = run.gateStream((to: number) => counting(to));
  const [one, two] = [tool(1), tool(2)];
  expect([(await one.next()).value, (await two.next()).value]).toEqual([1, 1]);
  expect([(await one.next()).done, (await two.next()).value]).toEqual([true, 2]);
  run.complete();
});

test.each([[undefined], ['search'], [{}], [Promise.resolve()], [counting(1)]])('%j is no function to gate', (tool) => {
  const { control } = tracked();
  const run = started(control);
  const refused = { code: 'INVALID_OPTIONS', message: expect.stringContaining('takes a function') };
  expect(() => run.gateStream(tool as unknown as () => AsyncIterable<string>)).toThrow(
    expect.objectContaining(refused),
  );
  expect(() => run.gate(tool as unknown as () => void)).toThrow(expect.objectContaining(refused));
  run.complete();
});

test.each([[{ atAbort: 'reject' }], [{ names: 'x' }], [null], [{ name: '' }]])(
  '%j are no options of gateStream',
  (options) => {
    const { control } = tracked();
    const run = started(control);
    expect(() => run.gateStream(() => counting(1), options as { name: string })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
    run.complete();
  },
);
