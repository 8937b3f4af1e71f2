import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import OpenAI from 'openai';
import type { Run, RunOptions } from 'runfence';
import { flush } from 'runfence/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { tracked, upstream } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A server on loopback; `heard` settles with its first request. */
async function serve(listener: RequestListener) {
  let hear!: () => void;
  const heard = new Promise<void>((resolve) => {
    hear = resolve;
  });
  const server = createServer((req, res) => {
    listener(req, res);
    hear();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heard };
}

const silent: RequestListener = () => {};
const halfAnswer: RequestListener = (_req, res) => void res.write('data: {"choices":[]}\n\n');

function swallow(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

/** Runs the work, stops it once it is `ready`, and says what was thrown, told to `onError`, and in the receipt. */
async function stopped(
  work: (run: Run) => Promise<unknown>,
  { ready = Promise.resolve(), options = {} }: { ready?: Promise<unknown>; options?: Partial<RunOptions> } = {},
) {
  const { control, errors } = tracked();
  let thrown: unknown;
  const outcome = control.run({ sessionKey: 's', ...options }, async (run) => {
    try {
      await work(run);
    } catch (error) {
      thrown = error;
      throw error;
    }
  });
  await ready;
  const receipt = await control.abort({ sessionKey: 's' });
  expect(await outcome).toMatchObject({ status: 'aborted' });
  const { quiet, runs } = await receipt.whenQuiet();
  expect(quiet).toBe(true);
  return { thrown, errors, error: runs[0]?.error };
}

function answerTo(url: string, options: { signal?: AbortSignal } = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, options, resolve).on('error', reject);
  });
}

async function readAll(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _chunk of source);
}

describe('a stop is no alarm:', () => {
  interface Case {
    readonly serves?: RequestListener;
    readonly throws: object;
    work(run: Run, url: string, reading: () => void): Promise<unknown>;
  }
  const cases: Record<string, Case> = {
    'node:http before the answer': {
      throws: { name: 'AbortError' },
      work: (run, url) => answerTo(url, { signal: run.signal }),
    },
    'node:http within the answer': {
      serves: halfAnswer,
      throws: { code: 'ECONNRESET' },
      work: async (run, url, reading) => {
        const answer = await answerTo(url, { signal: run.signal });
        reading();
        await readAll(answer);
      },
    },
    'node:http in a pipeline': {
      serves: halfAnswer,
      throws: { code: 'ECONNRESET' },
      work: async (run, url, reading) => {
        const answer = await answerTo(url, { signal: run.signal });
        reading();
        await pipeline(answer, swallow());
      },
    },
    'a request that a listener of the signal destroys': {
      throws: { code: 'ECONNRESET', message: 'socket hang up' },
      work: (run, url) =>
        new Promise((_, reject) => {
          const request = get(url).on('error', reject);
          run.signal.addEventListener('abort', () => request.destroy());
        }),
    },
    'fetch before the answer': {
      throws: { name: 'AbortError' },
      work: (run, url) => fetch(url, { signal: run.signal }),
    },
    'fetch within the answer': {
      serves: halfAnswer,
      throws: { name: 'AbortError' },
      work: async (run, url, reading) => {
        const answer = await fetch(url, { signal: run.signal });
        reading();
        await answer.text();
      },
    },
    'a wrapper around a wrapper of fetch': {
      throws: { message: 'the model failed' },
      work: async (run, url) => {
        const cause = await fetch(url, { signal: run.signal }).catch((error: unknown) => error);
        throw new Error('the model failed', { cause: new Error('request failed', { cause }) });
      },
    },
    'a controller of the work’s own, without a reason': {
      throws: { name: 'AbortError' },
      work: (run, url) => {
        const own = new AbortController();
        run.signal.addEventListener('abort', () => own.abort());
        return fetch(url, { signal: own.signal });
      },
    },
    'the openai package before the answer': {
      throws: { message: 'Request was aborted.' },
      work: (run, url) =>
        new OpenAI({ apiKey: 'none', baseURL: url }).chat.completions.create(
          { model: 'm', messages: [] },
          { signal: run.signal },
        ),
    },
    'the helper of the openai package within the answer': {
      serves: halfAnswer,
      throws: { message: 'Request was aborted.' },
      work: async (run, url, reading) => {
        const client = new OpenAI({ apiKey: 'none', baseURL: url });
        const stream = client.chat.completions.stream({ model: 'm', messages: [] }, { signal: run.signal });
        stream.once('chunk', reading);
        await stream.finalChatCompletion();
      },
    },
    'two requests of Promise.any': {
      throws: { name: 'AggregateError' },
      work: (run, url) => Promise.any([fetch(url, { signal: run.signal }), answerTo(url, { signal: run.signal })]),
    },
  };

  test.each(Object.entries(cases))('%s (B18)', async (_what, { serves = silent, throws, work }) => {
    const server = await serve(serves);
    let reading!: () => void;
    const read = new Promise<void>((resolve) => {
      reading = resolve;
    });
    const ready = serves === silent ? server.heard : read;
    const { thrown, errors, error } = await stopped((run) => work(run, server.url, reading), { ready });
    expect(thrown).toMatchObject(throws);
    expect([errors, error]).toEqual([[], undefined]);
  });

  test.each<[string, object, (run: Run) => Promise<unknown>]>([
    [
      'pipeline with the signal',
      { name: 'AbortError' },
      (run) => pipeline(new PassThrough(), swallow(), { signal: run.signal }),
    ],
    [
      'a pipeline whose source a listener destroys',
      { code: 'ERR_STREAM_PREMATURE_CLOSE' },
      (run) => {
        const source = new PassThrough();
        run.signal.addEventListener('abort', () => source.destroy());
        return pipeline(source, swallow());
      },
    ],
    [
      'a stream that is attached',
      { code: 'ERR_STREAM_PREMATURE_CLOSE' },
      (run) => {
        const source = new PassThrough();
        run.attach({ name: 'source', stop: () => source.destroy() });
        return readAll(source);
      },
    ],
    [
      'a web stream over one that a listener destroys',
      { name: 'AbortError' },
      (run) => {
        const source = new PassThrough();
        run.signal.addEventListener('abort', () => source.destroy());
        return readAll(Readable.toWeb(source) as AsyncIterable<unknown>);
      },
    ],
    [
      'a write into a stream that a listener has destroyed',
      { code: 'ERR_STREAM_DESTROYED' },
      async (run) => {
        const target = new PassThrough();
        run.signal.addEventListener('abort', () => target.destroy());
        await untilCut(run);
        await new Promise<void>((resolve, reject) => {
          target.write('late', (error) => (error ? reject(error) : resolve()));
        });
      },
    ],
  ])('%s (B18)', async (_what, throws, work) => {
    const { thrown, errors, error } = await stopped(work);
    expect(thrown).toMatchObject(throws);
    expect([errors, error]).toEqual([[], undefined]);
  });

  test('a tool that reads an answer, in a gated call (B18)', async () => {
    const { url, heard } = await serve(halfAnswer);
    const { errors, error } = await stopped(
      (run) => run.gate(async () => readAll(await answerTo(url, { signal: run.signal })))(),
      { ready: heard },
    );
    expect([errors, error]).toEqual([[], undefined]);
  });

  test('an answer behind the fence, which nobody gave the signal (B18)', async () => {
    const { url } = await serve(halfAnswer);
    let reading!: () => void;
    const ready = new Promise<void>((resolve) => {
      reading = resolve;
    });
    const { thrown, errors, error } = await stopped(
      async (run) => {
        const answer = await answerTo(url);
        answer.once('data', reading);
        await readAll(run.fence(Readable.from(answer)));
      },
      { ready },
    );
    expect(thrown).toMatchObject({ code: 'RUN_ABORTED' });
    expect([errors, error]).toEqual([[], undefined]);
  });

  test('a source that is destroyed by being told to stop (B18)', async () => {
    const { control, errors } = tracked();
    const source = new PassThrough();
    const outcome = control.run({ sessionKey: 's' }, (run) =>
      readAll(
        run.fence({
          [Symbol.asyncIterator]: () => {
            const inner = source[Symbol.asyncIterator]();
            return {
              next: () => inner.next(),
              return: async () => {
                source.destroy();
                return { done: true as const, value: undefined };
              },
            };
          },
        }),
      ),
    );
    const receipt = await control.abort('all');
    expect(await outcome).toMatchObject({ status: 'aborted' });
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(errors).toEqual([]);
  });

  test('what the caller’s own signal has destroyed (B18)', async () => {
    const { url, heard } = await serve(silent);
    const { control, errors } = tracked();
    const caller = upstream();
    const outcome = control.run({ sessionKey: 's', signal: caller.signal }, () => {
      const request = get(url);
      caller.signal.addEventListener('abort', () => request.destroy(), { once: true });
      return new Promise((_, reject) => request.on('error', reject));
    });
    await heard;
    caller.abort();
    const ended = await outcome;
    expect(ended).toMatchObject({ status: 'aborted', reason: 'upstream' });
    if (ended.status === 'aborted') expect((await ended.whenQuiet()).runs[0]).not.toHaveProperty('error');
    expect(errors).toEqual([]);
  });

  test('what the parent’s signal has destroyed, in a child (B18)', async () => {
    const { errors, error } = await stopped((run) => {
      const source = new PassThrough();
      run.signal.addEventListener('abort', () => source.destroy());
      return run.child({ kind: 'tool' }, () => readAll(source));
    });
    expect([errors, error]).toEqual([[], undefined]);
  });
});

test('many aborts at once are no alarm, as a search in many places gives them (B18)', async () => {
  const { errors, error } = await stopped(async (run) => {
    await untilCut(run);
    throw new AggregateError(Array.from({ length: 500 }, () => new DOMException('aborted', 'AbortError')));
  });
  expect([errors, error]).toEqual([[], undefined]);
});

describe('a failure is told after a stop too:', () => {
  const abort = () => new DOMException('This operation was aborted', 'AbortError');
  const reset = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read', errno: -104 });

  test.each<[string, () => unknown]>([
    [
      'a process that ended by its own time limit',
      () => Object.assign(new Error('x'), { signal: 'SIGTERM', timedOut: true, exitCode: undefined }),
    ],
    ['a TypeError', () => new TypeError('Cannot read properties of undefined')],
    ['an AggregateError in which one is a failure', () => new AggregateError([abort(), new Error('disk full')])],
    ['an AggregateError of nothing', () => new AggregateError([])],
    ['an AggregateError with a hole', () => new AggregateError(Object.assign(new Array(2), { 0: abort() }))],
    ['a failure that hides an abort', () => suppressed(abort(), new Error('disk full'))],
    ['an abort that hides a failure', () => suppressed(new Error('disk full'), abort())],
    ['a connection that the other side has reset', reset],
    ['a cause that is no abort', () => new Error('failed', { cause: new Error('disk full') })],
    ['causes in a circle', circle],
    ['causes without end', endless],
    ['a cause that cannot be read', () => unreadable('cause')],
    ['errors that cannot be read', () => unreadable('errors')],
    ['errors that are an endless array', () => Object.assign(new Error('many'), { errors: endlessArray(abort) })],
  ])('%s (B19)', async (_what, make) => {
    const failure = make();
    const { errors, error } = await stopped(async (run) => {
      await untilCut(run);
      throw failure;
    });
    expect(errors.length).toBe(1);
    expect(errors[0] === failure && error === failure).toBe(true);
  });

  test.each<[string, () => Error]>([
    ['an OrderCanceledError', () => Object.assign(new Error('x'), { name: 'OrderCanceledError' })],
    ['a TransactionAbortError', () => Object.assign(new Error('x'), { name: 'TransactionAbortError' })],
  ])('%s of the host (B19)', async (_what, make) => {
    const failure = make();
    const { errors, error } = await stopped(async (run) => {
      await untilCut(run);
      throw failure;
    });
    expect([errors, error]).toEqual([[failure], failure]);
  });

  test.each([false, true])(
    'a write whose connection broke while the stop waited for it (B19), wrapped: %s',
    async (isWrapped) => {
      const { control, errors } = tracked();
      const failure = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
      let fail!: (error: unknown) => void;
      const outcome = control.run({ sessionKey: 's' }, async (run) => {
        void run.signal;
        try {
          await run.commit(() => new Promise((_, reject) => (fail = reject)));
        } catch (error) {
          throw isWrapped ? new Error('not saved', { cause: error }) : error;
        }
      });
      await flush();
      const receipt = await control.abort('all');
      await outcome;
      fail(failure);
      const { runs } = await receipt.whenQuiet();
      const told = isWrapped ? expect.objectContaining({ cause: failure }) : failure;
      expect(runs[0]).toMatchObject({ error: told });
      expect(errors).toEqual([told]);
    },
  );

  test('a connection that broke, of a run that gave its signal to nobody (B19)', async () => {
    const { control, errors } = tracked();
    const failure = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    let fail!: (error: unknown) => void;
    const outcome = control.run({ sessionKey: 's' }, () => new Promise((_, reject) => (fail = reject)));
    const receipt = await control.abort('all');
    await outcome;
    fail(failure);
    expect((await receipt.whenQuiet()).runs[0]).toMatchObject({ error: failure });
    expect(errors).toEqual([failure]);
  });

  test('a write that failed because its connection broke (B19)', async () => {
    const { control, errors } = tracked();
    const failure = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    const outcome = control.run({ sessionKey: 's' }, async (run) => {
      run.epilogue(() => {
        throw failure;
      });
      await untilCut(run);
    });
    const receipt = await control.abort('all');
    await outcome;
    expect((await receipt.whenQuiet()).runs[0]).toMatchObject({ epilogue: 'failed', error: failure });
    expect(errors).toEqual([failure]);
  });

  test('a save of a failing run that broke (B19)', async () => {
    const { control, errors } = tracked();
    const broken = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    const outcome = control.run({ sessionKey: 's' }, async (run) => {
      run.draft(() => {
        throw broken;
      });
      run.signal.throwIfAborted();
      throw new Error('the work failed');
    });
    await expect(outcome).rejects.toThrow('the work failed');
    expect(errors).toEqual([broken]);
  });

  test('an abort of somebody else fails a run that nothing has stopped (B19)', async () => {
    const { url } = await serve(silent);
    const { control, errors } = tracked();
    const other = new AbortController();
    const outcome = control.run({ sessionKey: 's' }, async (run) => {
      run.signal.throwIfAborted();
      const asked = fetch(url, { signal: other.signal });
      other.abort();
      await asked.catch((cause: unknown) => {
        throw new Error('the model failed', { cause });
      });
    });
    await expect(outcome).rejects.toMatchObject({ message: 'the model failed', cause: { name: 'AbortError' } });
    expect(errors).toEqual([]);
  });
});

describe('words of other libraries', () => {
  test.each([
    ['axios', { name: 'CanceledError', code: 'ERR_CANCELED', message: 'canceled' }],
    ['got, cancelled by hand', { name: 'CancelError', code: 'ERR_CANCELED', message: 'Promise was canceled' }],
    ['undici, by its signal', { name: 'AbortError', code: 'UND_ERR_ABORTED', message: 'Request aborted' }],
    ['undici, by its client', { name: 'ClientDestroyedError', code: 'UND_ERR_DESTROYED', message: 'destroyed' }],
    ['node-fetch', { name: 'FetchError', code: 'ERR_STREAM_PREMATURE_CLOSE', message: 'Invalid response body' }],
  ])('of %s (B18)', async (_whose, fields) => {
    const { errors, error } = await stopped(async (run) => {
      await untilCut(run);
      throw Object.assign(new Error(), fields);
    });
    expect([errors, error]).toEqual([[], undefined]);
  });
});

function suppressed(error: unknown, hidden: unknown): Error {
  return Object.assign(new Error('hidden'), { name: 'SuppressedError', error, suppressed: hidden });
}

function circle(): Error {
  const first = new Error('first');
  first.cause = new Error('second', { cause: first });
  return first;
}

function endless(): Error {
  return Object.defineProperty(new Error('more'), 'cause', { get: endless });
}

function unreadable(key: string): Error {
  return Object.defineProperty(new Error('unreadable'), key, {
    get() {
      throw new Error(`${key} cannot be read`);
    },
  });
}

function endlessArray(make: () => unknown): unknown[] {
  return Object.defineProperty([], Symbol.iterator, {
    value: function* () {
      while (true) yield make();
    },
  });
}
