import { memory, type RunControl } from 'runfence';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';
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

  test('a stop that fails skips it, and the lock goes to the successor', async () => {
    const async = new FaultyBackend();
    const { control } = tracked({ backend: async });
    const old = await begin(control);
    old.epilogue(() => expect.unreachable());
    async.failNext('stop');
    const receipt = await control.abort({ runId: old.id });
    old.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'skipped' }]);
    const next = await begin(control);
    expect(await next.commit(() => 'written')).toBe('written');
    next.complete();
    await flush();
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

  test('a lock that fails is told, and its reservation does not stand in the way', async () => {
    const async = new FaultyBackend();
    const { control, clock, errors } = tracked({ backend: async });
    const old = await begin(control);
    const stuck = old.attach({ name: 'stuck', stop: () => new Promise(() => {}) });
    old.epilogue(() => expect.unreachable());
    async.failNext('lock');
    const receipt = await control.abort({ runId: old.id });
    await flush();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ epilogue: 'failed' }]);
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
    const next = await begin(control);
    const served = next.commit(() => 'written');
    await clock.advance(100);
    expect(await served).toBe('written');
    stuck.release();
    old.complete();
    next.complete();
    await flush();
  });

  test('a later cut whose stop is recorded first does not wait for the earlier one, nor it for that', async () => {
    const async = new FaultyBackend();
    const { control, clock } = tracked({ backend: async });
    const writes: Write[] = [];
    const [parent, rival] = [await begin(control), await begin(control, { whenBusy: 'concurrent' })];
    announce(parent, writes, 'parent');
    announce(rival, writes, 'rival');
    // The line of the session is busy, so that the claim of the child's takeover is not sent yet.
    async.hold('lock');
    const busy = control.locks.acquire('s');
    const child = parent.child({ whenBusy: 'interrupt' }, async () => {});
    expect(rival.isCurrent()).toBe(false);
    const aborted = control.abort({ runId: parent.id });
    async.release('lock');
    (await busy).release();
    await aborted;
    await child;
    await clock.advance(200);
    expect(writes.map(({ by }) => by).sort()).toEqual(['parent', 'rival']);
    parent.complete();
    rival.complete();
    await flush();
  });
});

describe('a takeover by another node', () => {
  function nodes(): { old: FaultyBackend; a: RunControl; b: RunControl } {
    const backend = memory();
    const old = new FaultyBackend({ over: backend });
    return { old, a: tracked({ backend: old }).control, b: tracked({ backend }).control };
  }

  test("saves before the successor's first write", async () => {
    const backend = memory();
    const [a, b] = [tracked({ backend }).control, tracked({ backend }).control];
    const writes: Write[] = [];
    const old = await begin(a);
    announce(old, writes);
    await write(old, writes, 'old');
    const next = await begin(b);
    await write(next, writes, 'next');
    expectOrder(writes, ['old', 'epilogue', 'next']);
    old.complete();
    next.complete();
  });

  test('finds the idle grant of the old run free', async () => {
    const backend = memory();
    const [a, b] = [tracked({ backend }).control, tracked({ backend }).control];
    const old = await begin(a);
    const grant = await a.locks.acquire('s', { holder: old });
    const next = await begin(b);
    expect(await next.commit(({ token }) => token, { timeoutMs: 0 })).toBeGreaterThan(grant.token);
    expect(grant.lost.reason).toMatchObject({ reason: 'superseded' });
    old.complete();
    next.complete();
  });

  test('waits for the section in flight on the old node', async () => {
    const backend = memory();
    const [a, b] = [tracked({ backend }).control, tracked({ backend }).control];
    const writes: Write[] = [];
    const old = await begin(a);
    announce(old, writes);
    const section = gate();
    const written = old.commit(async ({ token }) => {
      await section.promise;
      writes.push({ by: 'section', token });
    });
    const next = await begin(b);
    const served = write(next, writes, 'next');
    section.open();
    await Promise.all([written, served]);
    expectOrder(writes, ['section', 'epilogue', 'next']);
    old.complete();
    next.complete();
  });

  test('skips an epilogue that a grant of the successor came before', async () => {
    const { old: backend, a, b } = nodes();
    const writes: Write[] = [];
    const old = await begin(a);
    announce(old, writes);
    backend.hold('stop');
    const next = await begin(b);
    await write(next, writes, 'next');
    backend.release('stop');
    await flush();
    const receipt = await a.abort({ runId: old.id });
    old.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'skipped' }]);
    expectOrder(writes, ['next']);
    next.complete();
    await flush();
  });

  test('runs an epilogue that was recorded before the first grant of the successor', async () => {
    const { old: backend, a, b } = nodes();
    const writes: Write[] = [];
    const old = await begin(a);
    announce(old, writes);
    backend.hold('stop');
    const next = await begin(b);
    backend.release('stop');
    await flush();
    await write(next, writes, 'next');
    expectOrder(writes, ['epilogue', 'next']);
    old.complete();
    next.complete();
    await flush();
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
  // The numbers come from one counter, and nothing else has drawn one since the run's.
  expect(state.unlock({ sessionKey: 's', token: old.generation + 1 })).toBe(true);
  async.release('lock');
  old.complete();
  expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'skipped' }]);
  const next = await begin(control);
  expect(await next.commit(() => 'written')).toBe('written');
  next.complete();
  await flush();
});
