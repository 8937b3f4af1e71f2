import type { AbortReason, Backend, RunControl, StreamOptions } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { ABORTED, END } from '../../support/matchers.js';
import { Feed, started, watching } from '../../support/sources.js';
import type { Source } from '../../support/streaming.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

type Options = Partial<StreamOptions<string>>;

const item = (value: unknown) => ({ done: false, value });
const stopped = (reason: AbortReason): string => `stopped: ${reason}`;

async function streaming(options: Options = {}, backend?: Backend, work?: () => Source | Promise<Source>) {
  const { control, clock, errors } = tracked(backend === undefined ? {} : { backend });
  const feed = new Feed<string>();
  const asked: AbortReason[] = [];
  const atAbort = (reason: AbortReason): string => {
    asked.push(reason);
    return stopped(reason);
  };
  const answer = await control.stream({ sessionKey: 's', atAbort, ...options }, work ?? (() => feed));
  if (answer.status !== 'started' && answer.status !== 'queued') throw new Error(answer.status);
  return { control, clock, errors, feed, asked, outcome: answer.outcome, reader: answer.stream.getReader() };
}

describe.each<[string, () => Backend | undefined]>([
  ['the private ledger', () => undefined],
  ['memory', () => memory()],
  ['a backend that answers later', () => new FaultyBackend({ over: memory() })],
])('on %s, the client of a stream', (_name, make) => {
  test('gets what it had, the last item at the cut, and the end (D18)', async () => {
    const { control, feed, asked, outcome, reader } = await streaming({}, make());
    const first = reader.read();
    await flush();
    feed.give('text');
    expect(await first).toEqual(item('text'));
    const stuck = reader.read();
    await flush();
    void control.abort({ sessionKey: 's' });
    expect([await stuck, await reader.read()]).toEqual([item('stopped: user'), END]);
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    feed.give('late');
    await flush();
    expect(await reader.read()).toEqual(END);
    expect([asked, feed.returns]).toEqual([['user'], 1]);
  });

  test('gets it while the work has not given its source yet', async () => {
    const source = gate<Source>();
    const { control, errors, outcome, reader } = await streaming({}, make(), () => source.promise);
    const reading = reader.read();
    await flush();
    void control.abort({ sessionKey: 's' });
    expect([await reading, await reader.read()]).toEqual([item('stopped: user'), END]);
    const late = new Feed<string>();
    source.open(late);
    await outcome;
    await flush();
    expect(late).toMatchObject({ pulls: 0, returns: 1 });
    expect(errors).toEqual([]);
  });

  test('gets none after a normal end', async () => {
    const { feed, asked, outcome, reader } = await streaming({}, make());
    const reading = reader.read();
    await flush();
    feed.end();
    expect(await reading).toEqual(END);
    expect(await outcome).toMatchObject({ status: 'completed' });
    expect(asked).toEqual([]);
  });

  test('gets the error of its work, and no last item', async () => {
    const { feed, asked, outcome, reader } = await streaming({}, make());
    const reading = watching(reader.read());
    await flush();
    const error = new Error('503');
    feed.fail(error);
    await flush();
    expect(reading).toEqual({ state: 'rejected', result: error });
    expect(await outcome).toEqual({ status: 'failed', error });
    expect(asked).toEqual([]);
  });

  test('that has gone away is not asked for any more', async () => {
    const { feed, asked, outcome, reader } = await streaming({}, make());
    await reader.cancel();
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    expect([asked, feed.returns]).toEqual([[], 1]);
  });

  test.each<[string, AbortReason, (run: { control: RunControl; clock: { advance(ms: number): unknown } }) => unknown]>([
    ['a takeover', 'superseded', ({ control }) => control.run({ sessionKey: 's' }, () => 'newer')],
    ['its timeout', 'timeout', ({ clock }) => clock.advance(50)],
    ['a drain', 'shutdown', ({ control }) => control.drain({ graceMs: 0 })],
  ])('that is stopped by %s is told so', async (_how, reason, stop) => {
    const run = await streaming({ timeoutMs: 50 }, make());
    const reading = run.reader.read();
    await flush();
    void stop(run);
    expect([await reading, await run.reader.read()]).toEqual([item(`stopped: ${reason}`), END]);
    run.feed.end();
    await flush();
  });
});

test.each([
  ['answers at once', () => memory()],
  ['answers later', () => new FaultyBackend({ over: memory() })],
])('a stop of another node gives the last item here: the backend %s', async (_how, make) => {
  const backend = make();
  const { clock, feed, asked, outcome, reader } = await streaming({}, backend);
  const reading = reader.read();
  await flush();
  const other = tracked({ backend }, clock).control;
  await other.abort({ sessionKey: 's' }, { reason: 'policy' });
  await flush();
  expect([await reading, await reader.read()]).toEqual([item('stopped: policy'), END]);
  expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
  feed.end();
  await flush();
  expect([asked, feed.returns]).toEqual([['policy'], 1]);
});

test('a client that has read too slowly finds the last item when it comes back', async () => {
  const { clock, feed, reader } = await streaming({ readTimeoutMs: 100 });
  await clock.advance(100);
  expect([await reader.read(), await reader.read()]).toEqual([item('stopped: disconnect'), END]);
  expect(feed.returns).toBe(1);
});

test.each([
  ['an abort', 'user', ({ control }: Awaited<ReturnType<typeof queued>>) => void control.abort({ sessionKey: 's' })],
  ['its queue timeout', 'timeout', ({ clock }: Awaited<ReturnType<typeof queued>>) => clock.advance(50)],
])('a queued run that is ended by %s before it starts gives the last item alone', async (_how, reason, stop) => {
  const run = await queued();
  const reading = run.reader.read();
  await flush();
  await stop(run);
  expect([await reading, await run.reader.read()]).toEqual([item(`stopped: ${reason}`), END]);
  expect(run.feed).toMatchObject({ pulls: 0, returns: 0 });
  expect(await run.outcome).toMatchObject({ status: 'aborted', reason });
  run.first.complete();
});

async function queued() {
  const { control, clock } = tracked();
  const first = started(control);
  const feed = new Feed<string>();
  const answer = await control.stream(
    { sessionKey: 's', whenBusy: 'enqueue', queueTimeoutMs: 50, atAbort: stopped },
    () => feed,
  );
  if (answer.status !== 'queued') throw new Error(answer.status);
  return { control, clock, first, feed, outcome: answer.outcome, reader: answer.stream.getReader() };
}

test('a function that throws harms its own stream alone, and the stop takes all', async () => {
  const { control, errors } = tracked();
  const error = new Error('no last item');
  const asked = ['a', 'b', 'c'].map((sessionKey) =>
    control.stream(
      {
        sessionKey,
        atAbort: (reason) => {
          if (sessionKey === 'b') throw error;
          return stopped(reason);
        },
      },
      () => new Feed<string>(),
    ),
  );
  const readers = (await Promise.all(asked)).map((answer) => {
    if (answer.status !== 'started') throw new Error(answer.status);
    return answer.stream.getReader();
  });
  await control.abort('all');
  const reads = await Promise.allSettled(readers.map((reader) => reader.read()));
  expect(reads).toEqual([
    { status: 'fulfilled', value: item('stopped: user') },
    { status: 'rejected', reason: ABORTED },
    { status: 'fulfilled', value: item('stopped: user') },
  ]);
  expect(errors).toEqual([error]);
});

test("with atAbort: 'end' the stream ends at the cut, and with 'error' it errors", async () => {
  for (const atAbort of ['end', 'error'] as const) {
    const { control, feed, reader } = await streaming({ atAbort });
    const reading = watching(reader.read());
    await flush();
    await control.abort({ sessionKey: 's' });
    await flush();
    expect(reading).toEqual(
      atAbort === 'end' ? { state: 'fulfilled', result: END } : { state: 'rejected', result: ABORTED },
    );
    feed.end();
    await flush();
  }
});

test.each([['reject'], [5], [null], [{}]])('%j is no atAbort: nothing is begun', async (atAbort) => {
  const { control } = tracked();
  const options = { sessionKey: 's', atAbort } as unknown as StreamOptions;
  await expect(control.stream(options, () => new Feed<string>())).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  expect(control.runs.list()).toEqual([]);
});

test('a real client reads the last item, and not a broken connection', async () => {
  const { control } = tracked();
  const model = gate();
  const answer = await control.stream({ sessionKey: 's', atAbort: () => 'data: [stopped]\n\n' }, async function* () {
    yield 'data: one\n\n';
    await model.promise;
  });
  if (answer.status !== 'started') throw new Error(answer.status);
  const body = new Response(answer.stream.pipeThrough(new TextEncoderStream())).text();
  await flush();
  const receipt = await control.abort('all');
  expect(await body).toBe('data: one\n\ndata: [stopped]\n\n');
  expect((await receipt.whenQuiet({ timeoutMs: 0 })).quiet).toBe(false);
  model.open();
  expect((await receipt.whenQuiet()).quiet).toBe(true);
});
