import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { recordOf } from '../../support/records.js';
import { tracked } from '../../support/tracked.js';
import { announce, expectOrder, type Write, write } from '../../support/writes.js';

describe('on a backend that answers late', () => {
  test('the stop is recorded before the epilogue runs', async () => {
    const async = new FaultyBackend();
    const { control } = tracked({ backend: async });
    const writes: Write[] = [];
    const old = await begin(control);
    announce(old, writes);
    async.hold('stop');
    const aborted = control.abort({ runId: old.id });
    await flush();
    expect(writes).toEqual([]);
    async.release('stop');
    await aborted;
    const next = await begin(control);
    await write(next, writes, 'next');
    expectOrder(writes, ['epilogue', 'next']);
    old.complete();
    next.complete();
    await flush();
  });

  test('the run is quiet once its epilogue has given the lock back', async () => {
    const async = new FaultyBackend();
    const { control } = tracked({ backend: async });
    const writes: Write[] = [];
    const run = await begin(control);
    announce(run, writes);
    async.hold('unlock');
    await control.abort({ runId: run.id });
    run.complete();
    await flush();
    expect(writes.length).toBeGreaterThan(0);
    expect(run.status).toBe('stopping');
    async.release('unlock');
    await flush();
    expect(run.status).toBe('aborted');
  });

  test('an epilogue whose lock is not taken back is done, and the receipt says that the lock is not', async () => {
    const async = new FaultyBackend();
    const { control, clock } = tracked({ backend: async });
    const run = await begin(control);
    run.epilogue(() => {});
    async.failNext('unlock');
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done', lock: 'failed', state: 'quiet' }]);
    await clock.advance(1_000);
    expect(await control.locks.holder('s')).toBeUndefined();
  });

  test('a stop that fails is made up for by the next claim here, and the successor writes after the epilogue', async () => {
    const async = new FaultyBackend();
    const { control, clock } = tracked({ backend: async });
    const writes: Write[] = [];
    const old = await begin(control);
    announce(old, writes);
    async.failNext('stop');
    const receipt = await control.abort({ runId: old.id });
    old.complete();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ epilogue: 'pending' }]);
    const next = await begin(control);
    const written = write(next, writes, 'next');
    await clock.advance(50);
    await written;
    expectOrder(writes, ['epilogue', 'next']);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }]);
    next.complete();
  });

  test('a stop that fails is made up for after a second, if nobody begins', async () => {
    const async = new FaultyBackend();
    const { control, clock } = tracked({ backend: async });
    const writes: Write[] = [];
    const old = await begin(control);
    announce(old, writes);
    async.failNext('stop');
    const receipt = await control.abort({ runId: old.id });
    old.complete();
    await clock.advance(1_000);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }]);
    expectOrder(writes, ['epilogue']);
  });

  test.each(['before', 'after'] as const)(
    'a stop whose answer comes too late leaves no reservation behind (%s)',
    async (when) => {
      const async = new FaultyBackend();
      const { control, clock } = tracked({ backend: async });
      const old = await begin(control);
      const stuck = old.attach({ name: 'stuck', stop: () => new Promise(() => {}) });
      old.epilogue(() => expect.unreachable());
      async.hold('stop', when);
      const aborted = control.abort({ sessionKey: 's' });
      await clock.advance(2_000);
      expect((await aborted).recorded).toBe('unreachable');
      async.release('stop');
      await flush();
      const next = await begin(control, { whenBusy: 'concurrent' });
      const served = next.commit(() => 'written');
      await clock.advance(100);
      expect(await served).toBe('written');
      stuck.release();
      old.complete();
      next.complete();
      await flush();
    },
  );

  test.each(['before', 'after'] as const)(
    'a takeover whose claim is not answered in time saves once, and leaves no reservation behind (%s)',
    async (when) => {
      const async = new FaultyBackend();
      const { control, clock } = tracked({ backend: async });
      const writes: Write[] = [];
      const old = await begin(control);
      const stuck = old.attach({ name: 'stuck', stop: () => new Promise(() => {}) });
      announce(old, writes);
      async.hold('claim', when);
      const refused = expect(begin(control)).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
      await clock.advance(2_000);
      await refused;
      async.release('claim');
      await clock.advance(100);
      expect(old.isCurrent()).toBe(false);
      const next = await begin(control, { whenBusy: 'concurrent' });
      const served = write(next, writes, 'next');
      await clock.advance(100);
      await served;
      expectOrder(writes, ['epilogue', 'next']);
      stuck.release();
      old.complete();
      next.complete();
      await flush();
    },
  );

  test('a report of a run whose stop is not recorded yet does not make its epilogue late', async () => {
    const async = new FaultyBackend({ scope: 'cluster' });
    const { control, clock } = tracked({ backend: async });
    const writes: Write[] = [];
    const old = await begin(control);
    announce(old, writes);
    async.failNext('stop');
    const receipt = await control.abort({ runId: old.id });
    // What is left of it is reported to the other nodes, before the record hears of the stop.
    await clock.advance(500);
    expect(async.calls.at(-1)).toBe('announce');
    await clock.advance(500);
    old.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }]);
    expectOrder(writes, ['epilogue']);
  });

  test('a lock that fails is told and asked for again after a second, and nobody writes before', async () => {
    const async = new FaultyBackend();
    const { control, clock, errors } = tracked({ backend: async });
    const writes: Write[] = [];
    const old = await begin(control);
    announce(old, writes);
    async.failNext('lock');
    const receipt = await control.abort({ runId: old.id });
    old.complete();
    await flush();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ epilogue: 'pending' }]);
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
    const next = await begin(control);
    const written = write(next, writes, 'next');
    await clock.advance(1_000);
    await written;
    expectOrder(writes, ['epilogue', 'next']);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }]);
    next.complete();
  });

  test('a lock whose grant was lost on the way is the epilogue’s all the same, and it saves once', async () => {
    const async = new FaultyBackend();
    const { control, clock } = tracked({ backend: async });
    const writes: Write[] = [];
    const old = await begin(control);
    announce(old, writes);
    async.failNext('lock', 'after');
    const receipt = await control.abort({ runId: old.id });
    old.complete();
    await clock.advance(2_000);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }]);
    expectOrder(writes, ['epilogue']);
    const next = await begin(control);
    expect(await next.commit(() => 'written')).toBe('written');
    next.complete();
  });

  test.each(['before', 'after'] as const)(
    'a lock whose grant comes later than its bound is the epilogue’s all the same (held %s it acts)',
    async (when) => {
      const async = new FaultyBackend();
      const { control, clock } = tracked({ backend: async });
      const writes: Write[] = [];
      const old = await begin(control);
      announce(old, writes);
      async.hold('lock', when);
      const receipt = await control.abort({ runId: old.id });
      old.complete();
      await clock.advance(2_500);
      async.release('lock');
      await clock.advance(1_000);
      expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }]);
      expectOrder(writes, ['epilogue']);
      expect(await control.locks.holder('s')).toBeUndefined();
    },
  );

  test('a later cut whose stop is recorded first does not wait for the earlier one, nor it for that', async () => {
    const async = new FaultyBackend();
    const { control, clock } = tracked({ backend: async });
    const writes: Write[] = [];
    const [first, second] = [await begin(control), await begin(control, { whenBusy: 'concurrent' })];
    announce(first, writes, 'first');
    announce(second, writes, 'second');
    await flush();
    async.failNext('stop');
    await control.abort({ runId: first.id });
    async.hold('stop');
    // Whatever comes next tells the record of the first.
    const stopped = control.abort({ runId: second.id });
    async.release('stop');
    await stopped;
    await clock.advance(1_000);
    expectOrder(writes, ['second', 'first']);
    first.complete();
    second.complete();
  });
});

test('the lock of an epilogue that the backend does not take back is free for the next once it does', async () => {
  const async = new FaultyBackend();
  const { control, clock, errors } = tracked({ backend: async });
  const writes: Write[] = [];
  const old = await begin(control);
  announce(old, writes);
  async.failNext('unlock');
  await control.abort({ runId: old.id });
  await flush();
  expect([writes.length, errors.length]).toEqual([1, 1]);
  old.complete();
  const next = await begin(control);
  const written = write(next, writes, 'next');
  await flush();
  expect(writes).toHaveLength(1);
  await clock.advance(1_000);
  await written;
  expectOrder(writes, ['epilogue', 'next']);
  next.complete();
  await flush();
});

test('an epilogue whose reservation is gone in the backend is skipped, and the successor has the lock', async () => {
  const state = memory();
  const async = new FaultyBackend({ over: state });
  const { control } = tracked({ backend: async });
  const old = await begin(control);
  old.epilogue(() => expect.unreachable());
  async.hold('lock');
  const receipt = await control.abort({ runId: old.id });
  const [reservation] = (await recordOf(state)).reserved;
  await state.unlock({ sessionKey: 's', nodeId: 'another', seen: 0, token: reservation?.token ?? 0 });
  async.release('lock');
  old.complete();
  expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'skipped' }]);
  const next = await begin(control);
  expect(await next.commit(() => 'written')).toBe('written');
  next.complete();
  await flush();
});
