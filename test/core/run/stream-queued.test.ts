import type { StreamOptions } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { ABORTED, END } from '../../support/matchers.js';
import { Feed, started, watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';

const QUIET = { quiet: true, runs: [{ state: 'quiet', leftovers: [] }] };

describe('a queued run', () => {
  async function queued(options: Partial<StreamOptions> = {}) {
    const { control, clock } = tracked();
    const first = started(control);
    const feed = new Feed<string>();
    const work = { calls: 0 };
    const answer = await control.stream({ sessionKey: 's', whenBusy: 'enqueue', ...options }, () => {
      work.calls += 1;
      return feed;
    });
    if (answer.status !== 'queued') throw new Error(answer.status);
    return { control, clock, first, feed, work, outcome: answer.outcome, chunks: answer.stream.getReader() };
  }

  test('streams once its turn has come, also to who has read since before', async () => {
    const { first, feed, outcome, chunks } = await queued();
    const reading = chunks.read();
    await flush();
    expect(feed.pulls).toBe(0);
    first.complete();
    await flush();
    feed.give('text');
    expect(await reading).toEqual({ done: false, value: 'text' });
    const last = chunks.read();
    await flush();
    feed.end();
    expect(await last).toEqual(END);
    expect(await outcome).toEqual({ status: 'completed', value: undefined });
  });

  test('is not gone for a reader who has waited since before it started', async () => {
    const { control, clock, first, feed, outcome, chunks } = await queued();
    const reading = watching(chunks.read());
    await flush();
    first.complete();
    await clock.advance(1_000_000);
    expect([reading.state, watching(outcome).state]).toEqual(['pending', 'pending']);
    expect(control.runs.list()).toHaveLength(1);
    feed.end();
    await flush();
    expect(reading).toEqual({ state: 'fulfilled', result: END });
  });

  test('counts the time without a reader from its start', async () => {
    const { clock, first, outcome } = await queued();
    const ended = watching(outcome);
    await clock.advance(100_000);
    first.complete();
    await flush();
    await clock.advance(29_999);
    expect(ended.state).toBe('pending');
    await clock.advance(1);
    expect(ended.result).toMatchObject({ status: 'aborted', reason: 'disconnect' });
  });

  test.each([
    ['an abort', 'user', (run: Awaited<ReturnType<typeof queued>>) => run.control.abort({ sessionKey: 's' })],
    ['its queue timeout', 'timeout', (run: Awaited<ReturnType<typeof queued>>) => run.clock.advance(50)],
    [
      'a takeover',
      'superseded',
      (run: Awaited<ReturnType<typeof queued>>) => run.control.run({ sessionKey: 's' }, () => 'newer'),
    ],
  ])(
    'that is dropped by %s errors its stream with the reason, and its work is never called',
    async (_how, reason, drop) => {
      const run = await queued({ queueTimeoutMs: 50 });
      const reading = watching(run.chunks.read());
      await drop(run);
      await flush();
      expect(reading).toMatchObject({ state: 'rejected', result: { code: 'RUN_ABORTED', reason } });
      expect(await run.outcome).toMatchObject({ status: 'aborted', reason });
      run.first.complete();
      expect(run.work.calls).toBe(0);
    },
  );

  test('that is stopped between its start and its call never calls its work, and is quiet', async () => {
    const { control, first, work, outcome, chunks } = await queued();
    first.complete();
    const receipt = await control.abort({ sessionKey: 's' });
    expect(receipt.result).toBe('aborted');
    await expect(chunks.read()).rejects.toEqual(ABORTED);
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject(QUIET);
    expect(work.calls).toBe(0);
  });
});
