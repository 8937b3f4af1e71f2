import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { END } from '../../support/matchers.js';
import { Feed, started, watching } from '../../support/sources.js';
import { feeding, type Source, streaming } from '../../support/streaming.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

describe('a consumer that cancels', () => {
  test('aborts the run as disconnect, and the source is told once (B2)', async () => {
    const { control, feed, outcome, stream } = await feeding();
    await stream.cancel();
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    expect(feed.returns).toBe(1);
    expect(control.runs.list()).toEqual([]);
  });

  test('has cut the run before the source is told', async () => {
    let wasCurrent: boolean | undefined;
    const feed = new Feed<string>();
    const { stream } = await streaming((run) => {
      feed.onReturn = () => {
        wasCurrent = run.isCurrent();
      };
      return feed;
    });
    await stream.cancel();
    expect(wasCurrent).toBe(false);
  });

  test.each([
    ['rejects', () => Promise.reject(new Error('gone'))],
    [
      'throws',
      () => {
        throw new Error('gone');
      },
    ],
  ])(
    'is not held up by a source whose clean-up %s: the run is quiet, and the error is in its report',
    async (_how, fail) => {
      const feed = Object.assign(new Feed<string>(), { return: fail });
      const { control, errors, outcome, stream } = await streaming(() => feed);
      await stream.cancel();
      const ended = await outcome;
      if (ended.status !== 'aborted') throw new Error(ended.status);
      expect(await ended.whenQuiet()).toMatchObject({ quiet: true, runs: [{ error: { message: 'gone' } }] });
      expect(errors).toEqual([new Error('gone')]);
      expect(control.runs.list()).toEqual([]);
    },
  );

  test('while a read is in flight ends that read', async () => {
    const { feed, outcome, reader } = await feeding();
    const chunks = reader();
    const reading = chunks.read();
    await flush();
    const cancelled = chunks.cancel();
    expect(await reading).toEqual(END);
    await cancelled;
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    feed.end();
    await flush();
  });

  test('after the end changes nothing: the run has completed, and what it deferred runs to its end (B8)', async () => {
    const later = gate();
    const seen: unknown[] = [];
    const feed = new Feed<string>();
    const { control, outcome, runId, stream } = await streaming((run) => {
      run.defer(async () => {
        await later.promise;
        seen.push(run.status, run.signal.aborted);
      });
      return feed;
    });
    const chunks = stream.getReader();
    const reading = chunks.read();
    await flush();
    feed.end();
    expect(await reading).toEqual(END);
    await chunks.cancel();
    later.open();
    await flush();
    expect(await outcome).toEqual({ status: 'completed', value: undefined });
    expect([seen, feed.returns]).toEqual([['completed', false], 0]);
    expect(control.runs.get(runId)?.status).toBe('completed');
  });

  test('drops a run that is still queued', async () => {
    const { control } = tracked();
    const first = started(control);
    const answer = await control.stream({ sessionKey: 's', whenBusy: 'enqueue' }, () => new Feed<string>());
    if (answer.status !== 'queued') throw new Error(answer.status);
    await answer.stream.cancel();
    expect(await answer.outcome).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    first.complete();
  });
});

describe('readTimeoutMs', () => {
  test.each([
    [30_000, {}],
    [500, { readTimeoutMs: 500 }],
  ])('aborts as disconnect when nobody has read for %i ms', async (ms, options) => {
    const { clock, feed, outcome } = await feeding(options);
    const ended = watching(outcome);
    await clock.advance(ms - 1);
    expect(ended.state).toBe('pending');
    await clock.advance(1);
    expect(ended.result).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    expect(feed.returns).toBe(1);
  });

  test('does not count while a read waits for the source (A75)', async () => {
    const { control, clock, feed, outcome, reader } = await feeding();
    const ended = watching(outcome);
    const reading = reader().read();
    await clock.advance(1_000_000);
    expect(ended.state).toBe('pending');
    feed.give('at last');
    expect(await reading).toEqual({ done: false, value: 'at last' });
    await control.abort('all');
  });

  test('counts anew from each chunk', async () => {
    const { clock, feed, outcome, reader } = await feeding({ readTimeoutMs: 100 });
    const ended = watching(outcome);
    const chunks = reader();
    for (const chunk of ['a', 'b', 'c']) {
      await clock.advance(99);
      const reading = chunks.read();
      await flush();
      feed.give(chunk);
      await reading;
    }
    expect(ended.state).toBe('pending');
    await clock.advance(100);
    expect(ended.result).toMatchObject({ status: 'aborted', reason: 'disconnect' });
  });

  test('Infinity opts out, and no timer is set', async () => {
    const { control, clock, outcome } = await feeding({ readTimeoutMs: Number.POSITIVE_INFINITY });
    const ended = watching(outcome);
    expect(clock.pending).toBe(0);
    await clock.advance(10_000_000);
    expect(ended.state).toBe('pending');
    await control.abort('all');
  });

  test('counts while the source is awaited, and nobody reads', async () => {
    const source = gate<Source>();
    const { clock, outcome } = await streaming(() => source.promise, { readTimeoutMs: 100 });
    const ended = watching(outcome);
    await clock.advance(100);
    expect(ended.result).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    source.open(new Feed<string>());
    await flush();
  });

  test('leaves no timer when the stream has ended', async () => {
    const { clock, control } = await streaming(
      (run) => {
        run.complete();
        return new Feed<string>();
      },
      { readTimeoutMs: 100 },
    );
    await flush();
    expect(control.runs.list()).toEqual([]);
    // Only the timer of the retention is left.
    expect(clock.pending).toBe(1);
    expect(control.runs.sizes.timers).toBe(1);
  });

  test.each([[0], [-1], [Number.NaN], ['5'], [null]])('%s is refused', async (readTimeoutMs) => {
    const { control } = tracked();
    const options = { sessionKey: 's', readTimeoutMs: readTimeoutMs as number };
    await expect(control.stream(options, () => new Feed())).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(control.runs.list()).toEqual([]);
  });
});
