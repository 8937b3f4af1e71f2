import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { ABORTED } from '../../support/matchers.js';
import { afterMicrotasks, Feed, watching } from '../../support/sources.js';
import { feeding, type Source, streaming } from '../../support/streaming.js';
import { gate, untilCut } from '../../support/work.js';

const QUIET = { quiet: true, runs: [{ state: 'quiet', leftovers: [] }] };

describe('the cut', () => {
  test('wakes a stuck read, tells the source once, and waits for the pull in flight to be quiet', async () => {
    const { control, feed, outcome, reader } = await feeding();
    const reading = watching(reader().read());
    await flush();
    const receipt = await control.abort('all');
    await flush();
    expect(reading).toEqual({ state: 'rejected', result: ABORTED });
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(feed.returns).toBe(1);
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: false, runs: [{ leftovers: ['work'] }] });
    feed.give('late');
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true, runs: [{ fencedEffects: 1 }] });
  });

  test('waits for the clean-up of the source to be quiet, also when it has answered the pull', async () => {
    const cleanUp = gate();
    const source = new ReadableStream<string>({ pull: () => new Promise(() => {}), cancel: () => cleanUp.promise });
    const { control, reader } = await streaming(() => source);
    const reading = watching(reader().read());
    await flush();
    const receipt = await control.abort('all');
    await flush();
    expect(reading.state).toBe('rejected');
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: false, runs: [{ leftovers: ['work'] }] });
    cleanUp.open();
    expect(await receipt.whenQuiet()).toMatchObject(QUIET);
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'lands %i microtasks after an item of a fence in a fence: it is read before or not at all, and the run is quiet',
    async (steps) => {
      const feed = new Feed<string>();
      const { control, outcome, reader } = await streaming((run) => run.fence(feed));
      const reading = watching(reader().read());
      await flush();
      feed.give('text');
      afterMicrotasks(steps, () => void control.abort('all'));
      await flush();
      const ended = await outcome;
      if (ended.status !== 'aborted') throw new Error(ended.status);
      const [isRead, fencedEffects] = reading.state === 'fulfilled' ? [true, 0] : [false, 1];
      expect(reading.result).toEqual(isRead ? { done: false, value: 'text' } : ABORTED);
      const report = await ended.whenQuiet({ timeoutMs: 0 });
      expect(report).toMatchObject({ quiet: true, runs: [{ fencedEffects }] });
    },
  );

  test('while the source is awaited: one that arrives later is told to stop and never asked, and the run is quiet', async () => {
    for (const isRead of [true, false]) {
      const source = gate<Source>();
      const feed = new Feed<string>();
      const { control, errors, reader } = await streaming(() => source.promise);
      const reading = isRead ? watching(reader().read()) : undefined;
      await flush();
      const receipt = await control.abort('all');
      await flush();
      if (reading !== undefined) expect(reading).toEqual({ state: 'rejected', result: ABORTED });
      expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: false });
      source.open(feed);
      expect(await receipt.whenQuiet()).toMatchObject(QUIET);
      expect(feed).toMatchObject({ pulls: 0, returns: 1 });
      expect(errors).toEqual([]);
    }
  });

  test('while the source is awaited: work that fails later is reported once, and the run is quiet (A38)', async () => {
    const source = gate<Source>();
    const { control, errors, reader } = await streaming(() => source.promise);
    const reading = watching(reader().read());
    await flush();
    const receipt = await control.abort('all');
    const error = new Error('no model');
    source.fail(error);
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true, runs: [{ error }] });
    expect(errors).toEqual([error]);
    expect(reading.state).toBe('rejected');
  });

  test('while the source is awaited: work that only says aborted is not reported', async () => {
    const { control, errors } = await streaming(async (run) => {
      await untilCut(run);
      throw new DOMException('stopped', 'AbortError');
    });
    const receipt = await control.abort('all');
    expect(await receipt.whenQuiet()).toMatchObject(QUIET);
    expect(errors).toEqual([]);
  });

  test('while the source is awaited: work that gives no source later is reported, and the run is quiet', async () => {
    const source = gate<Source>();
    const { control, errors } = await streaming(() => source.promise);
    const receipt = await control.abort('all');
    source.open('text' as unknown as Source);
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(errors).toEqual([expect.objectContaining({ code: 'INVALID_OPTIONS' })]);
  });

  test('reports a clean-up and a pull that fail after it, and the run is quiet', async () => {
    const { control, feed, errors, reader } = await feeding();
    const [cleanUp, pull] = [new Error('return() failed'), new Error('socket hang up')];
    feed.onReturn = () => Promise.reject(cleanUp);
    const reading = watching(reader().read());
    await flush();
    const receipt = await control.abort('all');
    await flush();
    feed.fail(pull);
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true, runs: [{ error: pull }] });
    expect(errors).toEqual([cleanUp, pull]);
    expect(reading.state).toBe('rejected');
  });

  test('of a stream that nobody ever read ends it', async () => {
    const { control, feed, stream } = await feeding();
    const receipt = await control.abort('all');
    expect(await receipt.whenQuiet()).toMatchObject(QUIET);
    expect(feed).toMatchObject({ pulls: 0, returns: 1 });
    await expect(stream.getReader().read()).rejects.toEqual(ABORTED);
  });
});
