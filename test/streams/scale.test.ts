import { Readable } from 'node:stream';
import { createRunControl } from 'runfence';
import { createRunStreams } from 'runfence/streams';
import { expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';
import { all, merge, type Part, shown, text, textOf } from './support/deltas.js';

declare const gc: () => void;

test('10 000 subscribers of one run get all of it, and leave nothing', async () => {
  const { control } = tracked();
  const streams = createRunStreams<string>(control, { perPrincipal: { maxSubscribers: 10_000 } });
  const run = await begin(control, { runId: 'r', owner: { userId: 'ada' } });
  streams.publish(run, '1');
  const followed = Array.from({ length: 10_000 }, () => all(streams.subscribe('r', { requester: { userId: 'ada' } })));
  expect(streams.watchers('r')).toBe(10_000);
  for (const event of ['2', '3']) {
    await new Promise((resolve) => setImmediate(resolve));
    streams.publish(run, event);
  }
  run.complete();
  for (const items of await Promise.all(followed)) {
    expect(items.map((item) => (item.type === 'event' ? item.event : item.type))).toEqual(['1', '2', '3', 'end']);
  }
  expect(streams.usage.subscribers).toBe(0);
});

test('100 000 runs with events and subscribers leave no heap', async () => {
  const control = createRunControl({ retention: { max: 100 } });
  const streams = createRunStreams<Part>(control, { merge });
  const cycle = async (times: number): Promise<void> => {
    for (let at = 0; at < times; at++) {
      const runId = `r${at}`;
      const begun = control.runs.beginSync({ sessionKey: `s${at % 10}`, runId, owner: { userId: `u${at % 100}` } });
      if (begun.status !== 'started') throw new Error(begun.status);
      const { run } = begun;
      const iterator = streams.subscribe(runId)?.[Symbol.asyncIterator]();
      const waiting = iterator?.next();
      for (const word of ['a', 'b', 'c']) streams.publish(run, text(word));
      await waiting;
      if (at % 3 === 0) void control.abort({ runId });
      run.complete();
      if (at % 2 === 0) await iterator?.return?.();
    }
  };
  const heap = (): number => {
    gc();
    gc();
    return process.memoryUsage().heapUsed;
  };
  await cycle(10_000);
  const before = heap();
  await cycle(100_000);
  const after = heap();
  expect(streams.usage.runs).toBeLessThanOrEqual(100);
  expect(after - before).toBeLessThan(1_000_000);
  await control.drain();
  expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
}, 60_000);

test('subscribing and leaving 100 000 times on a run that says nothing leaves no heap', async () => {
  const { control } = tracked();
  const streams = createRunStreams<string>(control);
  const run = await begin(control, { runId: 'r' });
  const { signal } = new AbortController();
  const cycle = async (times: number): Promise<void> => {
    for (let at = 0; at < times; at++) {
      const iterator = streams.subscribe('r', { signal })?.[Symbol.asyncIterator]();
      void iterator?.next();
      await iterator?.return?.();
    }
  };
  await cycle(10_000);
  gc();
  const before = process.memoryUsage().heapUsed;
  await cycle(100_000);
  gc();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000);
  run.complete();
});

test('200 000 deltas are a few entries, and a slow subscriber gets their whole text', async () => {
  const { control } = tracked();
  const streams = createRunStreams<Part>(control, { merge, maxBytes: 16 << 20, totalBytes: 64 << 20 });
  const run = await begin(control, { runId: 'r' });
  const slow = streams.subscribe('r')?.[Symbol.asyncIterator]();
  let expected = '';
  for (let at = 0; at < 200_000; at++) {
    expected += ` ${at}`;
    streams.publish(run, text(` ${at}`));
  }
  run.complete();
  const items = [];
  for (let next = await slow?.next(); next?.done === false; next = await slow?.next()) items.push(next.value);
  expect(items.length).toBeLessThan(100);
  expect(textOf(items)).toBe(expected);
});

test('the streams of the platform take a subscription, and end it when they are cancelled', async () => {
  const { control } = tracked();
  const streams = createRunStreams<string>(control);
  const run = await begin(control, { runId: 'r' });
  for (const event of ['a', 'b']) streams.publish(run, event);
  const source = (): AsyncIterable<unknown> => streams.subscribe('r') ?? Readable.from([]);
  const { from } = ReadableStream as unknown as { from(source: AsyncIterable<unknown>): ReadableStream<unknown> };
  const reader = from(source()).getReader();
  expect((await reader.read()).value).toMatchObject({ event: 'a' });
  await reader.cancel();
  const readable = Readable.from(source());
  await new Promise((resolve) => readable.once('data', resolve));
  readable.destroy();
  await new Promise((resolve) => readable.once('close', resolve));
  expect(streams.usage.subscribers).toBe(0);
  run.complete();
  expect(shown(await all(streams.subscribe('r')))).toEqual(['event 1', 'event 2', 'end completed 2']);
});
