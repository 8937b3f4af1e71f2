import { Readable } from 'node:stream';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { revokedProxy } from '../../support/hostile.js';
import { abortedCall } from '../../support/matchers.js';
import { Feed, started, streamOf } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const NOT_GATED: unknown = expect.objectContaining({
  code: 'STREAM_NOT_GATED',
  message: expect.stringContaining('run.gateStream'),
});

/** A generator that says whether its body began, and whether it was ended. */
function generator(kind: 'asynchronous' | 'synchronous') {
  const seen: string[] = [];
  const made = (function* () {
    seen.push('began');
    yield 'item';
  })();
  const source = {
    next: () => made.next(),
    return: () => {
      seen.push('returned');
      return made.return();
    },
    [kind === 'asynchronous' ? Symbol.asyncIterator : Symbol.iterator]: () => source,
  };
  return { seen, source };
}

describe('a gated function that gives', () => {
  test.each(['asynchronous', 'synchronous'] as const)(
    'a generator, %s: an error that names gateStream, and the generator is ended before it begins (I22)',
    async (kind) => {
      const { control, errors } = tracked();
      const run = started(control);
      const { seen, source } = generator(kind);
      await expect(run.gate(() => source)()).rejects.toEqual(NOT_GATED);
      expect(seen).toEqual(['returned']);
      expect(run.isCurrent()).toBe(true);
      run.complete();
      expect(control.runs.list()).toEqual([]);
      expect(errors).toEqual([]);
    },
  );

  test('a generator of an async function*, or of a function*', async () => {
    const { control } = tracked();
    const run = started(control);
    const began: string[] = [];
    const functions = [
      async function* () {
        yield began.push('asynchronous');
      },
      function* () {
        yield began.push('synchronous');
      },
    ];
    for (const made of functions) await expect(run.gate<[], unknown>(made)()).rejects.toEqual(NOT_GATED);
    expect(began).toEqual([]);
    run.complete();
  });

  test('a ReadableStream: it is cancelled', async () => {
    const { control } = tracked();
    const run = started(control);
    const feed = new Feed<string>();
    await expect(run.gate(() => streamOf(feed))()).rejects.toEqual(NOT_GATED);
    expect(feed).toMatchObject({ pulls: 0, returns: 1 });
    run.complete();
  });

  test('a ReadableStream that somebody reads: it is left to that reader', async () => {
    const { control } = tracked();
    const run = started(control);
    const feed = new Feed<string>();
    const stream = streamOf(feed);
    const reader = stream.getReader();
    await expect(run.gate(() => stream)()).rejects.toEqual(NOT_GATED);
    expect(feed.returns).toBe(0);
    await reader.cancel();
    run.complete();
  });

  test('a stream of Node: it is destroyed', async () => {
    const { control } = tracked();
    const run = started(control);
    const stream = Readable.from(['a']);
    await expect(run.gate(() => stream)()).rejects.toEqual(NOT_GATED);
    expect(stream.destroyed).toBe(true);
    run.complete();
  });

  test('an iterable that makes an iterator: that is ended', async () => {
    const { control } = tracked();
    const run = started(control);
    const feed = new Feed<string>();
    await expect(run.gate(() => ({ [Symbol.asyncIterator]: () => feed }))()).rejects.toEqual(NOT_GATED);
    expect(feed.returns).toBe(1);
    run.complete();
  });

  test.each<[string, unknown]>([
    ['an array', ['a']],
    ['a Map', new Map([['a', 1]])],
    ['a Set', new Set(['a'])],
    ['a string', 'text'],
    ['nothing', undefined],
    ['null', null],
    ['a function', () => {}],
    ['a typed array', new Uint8Array(2)],
  ])('%s: that is its answer', async (_what, value) => {
    const { control } = tracked();
    const run = started(control);
    expect(await run.gate(() => value)()).toBe(value);
    run.complete();
  });

  test('a promise of a stream, as an SDK does: that is its answer, to be fenced', async () => {
    const { control } = tracked();
    const run = started(control);
    const feed = new Feed<string>();
    const create = run.gate(async () => feed);
    const items = run.fence(await create());
    const pull = items.next();
    feed.give('text');
    expect((await pull).value).toBe('text');
    run.complete();
  });

  test('a promise that is an iterable as well, as a process of execa is: it is awaited', async () => {
    const { control } = tracked();
    const run = started(control);
    const both = Object.assign(Promise.resolve('done'), { [Symbol.asyncIterator]: () => new Feed<string>() });
    expect(await run.gate(() => both)()).toBe('done');
    run.complete();
  });

  test('what cannot be looked at: the call rejects, and its run has no other harm', async () => {
    const { control } = tracked();
    const run = started(control);
    await expect(run.gate(() => revokedProxy())()).rejects.toThrow(TypeError);
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });
});

describe('a generator that a gate refuses', () => {
  test('and whose clean-up hangs is a leftover, by name, until it is over', async () => {
    const { control } = tracked();
    const run = started(control);
    const cleanUp = gate();
    const feed = new Feed<string>();
    feed.onReturn = () => cleanUp.promise;
    await expect(run.gate(() => feed, { name: 'search' })()).rejects.toEqual(NOT_GATED);
    const receipt = await control.abort('all');
    run.complete();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs[0]?.leftovers).toEqual(['search']);
    cleanUp.open();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test('and whose clean-up fails: onError hears it', async () => {
    const { control, errors } = tracked();
    const run = started(control);
    const error = new Error('the socket is gone');
    const feed = new Feed<string>();
    feed.onReturn = () => Promise.reject(error);
    await expect(run.gate(() => feed)()).rejects.toEqual(NOT_GATED);
    await flush();
    expect(errors).toEqual([error]);
    run.complete();
  });

  test('of a tool that aborts its own run: the call says aborted, and onError hears of the generator', async () => {
    const { control, errors } = tracked();
    const run = started(control);
    const feed = new Feed<string>();
    const call = run.gate(() => {
      void control.abort('all');
      return feed;
    });
    await expect(call()).rejects.toEqual(abortedCall(true));
    expect(errors).toEqual([NOT_GATED]);
    expect(feed.returns).toBe(1);
    run.complete();
    await flush();
  });

  test('after a check of a backend that answers later', async () => {
    const { control } = tracked({ backend: new FaultyBackend({ over: memory() }) });
    const run = await begin(control);
    const feed = new Feed<string>();
    await expect(run.gate(() => feed)()).rejects.toEqual(NOT_GATED);
    expect(feed).toMatchObject({ pulls: 0, returns: 1 });
    run.complete();
    await flush();
  });
});

describe('`this`', () => {
  const holder = (run: ReturnType<typeof started>) => ({
    name: 'browser',
    send: run.fence(function (this: { name: string }, text: string) {
      return `${this.name} ${text}`;
    }),
    call: run.gate(function (this: { name: string }, text: string) {
      return `${this.name} ${text}`;
    }),
    stream: run.gateStream(async function* (this: { name: string }, text: string) {
      yield `${this.name} ${text}`;
    }),
  });

  test('of a fenced or gated function is that of the call (I23)', async () => {
    const { control } = tracked();
    const run = started(control);
    const browser = holder(run);
    expect(browser.send('says')).toBe('browser says');
    expect(await browser.call('opens')).toBe('browser opens');
    expect((await browser.stream('reads').next()).value).toBe('browser reads');
    expect(holder(run).send.call({ name: 'other' }, 'says')).toBe('other says');
    run.complete();
  });

  test('of a gated function is kept over the check of a backend that answers later', async () => {
    const { control } = tracked({ backend: new FaultyBackend({ over: memory() }) });
    const run = await begin(control);
    const browser = holder(run);
    expect(await browser.call('opens')).toBe('browser opens');
    expect((await browser.stream('reads').next()).value).toBe('browser reads');
    run.complete();
    await flush();
  });

  test('a fenced or gated function whose `call` and `apply` are its own is called all the same', async () => {
    const { control } = tracked();
    const run = started(control);
    const odd = Object.assign((text: string) => text, { call: undefined, apply: undefined });
    expect([run.fence(odd)('a'), await run.gate(odd)('b')]).toEqual(['a', 'b']);
    run.complete();
  });
});
