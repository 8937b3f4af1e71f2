import type { SessionLock } from 'runfence';
import { memory } from 'runfence/backend';
import { FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { holderIn } from '../../support/records.js';
import { tracked, trackedLock, upstream } from '../../support/tracked.js';

describe('a backend that answers late', () => {
  function asynchronous(): { async: FaultyBackend; clock: FakeClock; locks: SessionLock; errors: unknown[] } {
    const async = new FaultyBackend();
    const clock = new FakeClock();
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    return { async, clock, errors, locks: trackedLock({ backend: async, clock, onError }) };
  }

  test.each(['before', 'after'] as const)(
    'an abort while the lock is being acquired does not leak it (%s)',
    async (when) => {
      const { async, locks } = asynchronous();
      const controller = upstream();
      async.hold('lock', when);
      const left = locks.acquire('s', { signal: controller.signal });
      const next = locks.acquire('s');
      controller.abort(new Error('left'));
      await expect(left).rejects.toThrow('left');
      async.release('lock');
      (await next).release();
      await flush();
      expect(await locks.holder('s')).toBeUndefined();
    },
  );

  test('a cut while the lock is being acquired does not leak it', async () => {
    const async = new FaultyBackend();
    const { control } = tracked({ backend: async });
    const run = await begin(control);
    async.hold('lock', 'after');
    const waiting = expect(control.locks.acquire('s', { holder: run })).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    const aborted = control.abort({ runId: run.id });
    await waiting;
    async.release('lock');
    await aborted;
    run.complete();
    await flush();
    expect(await control.locks.holder('s')).toBeUndefined();
  });

  test('no answer within backendTimeoutMs is an error, and a grant that comes later is given back', async () => {
    const { async, locks, clock } = asynchronous();
    async.hold('lock');
    const refused = expect(locks.acquire('s')).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    await clock.advance(2_000);
    await refused;
    async.release('lock');
    await flush();
    expect(async.calls).toContain('unlock');
    expect(await locks.holder('s')).toBeUndefined();
  });

  test('a lock that fails is told to its waiter, and the next asks for itself (C12)', async () => {
    const { async, locks } = asynchronous();
    async.failNext('lock');
    const first = locks.acquire('s');
    const second = locks.acquire('s');
    await expect(first).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    (await second).release();
    await flush();
  });

  test('a release that fails is told to onError and repeated, so that the lock is not stuck', async () => {
    const { async, locks, clock, errors } = asynchronous();
    const grant = await locks.acquire('s');
    const next = locks.acquire('s');
    async.failNext('unlock');
    grant.release();
    await flush();
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
    await clock.advance(2_000);
    (await next).release();
    await flush();
  });

  test('a release that took effect and whose answer was lost is over once the record is read', async () => {
    const async = new FaultyBackend();
    const { control, clock } = tracked({ backend: async });
    const told: unknown[] = [];
    control.on('lock:released', ({ token }) => told.push(token));
    const grant = await control.locks.acquire('s');
    async.failNext('unlock', 'after');
    grant.release();
    await flush();
    expect(told).toEqual([]);
    await clock.advance(1_000);
    expect(told).toEqual([grant.token]);
    expect(control.runs.sizes).toMatchObject({ locks: 0, timers: 0 });
  });

  test('a release that fails is repeated also when nobody waits on this node', async () => {
    const { async, locks, clock } = asynchronous();
    const elsewhere = trackedLock({ backend: async, clock });
    const grant = await locks.acquire('s');
    async.failNext('unlock');
    async.failNext('unlock');
    grant.release();
    await flush();
    await clock.advance(2_000);
    (await elsewhere.acquire('s')).release();
    await flush();
  });

  test('a grant whose answer was lost is given back while another release is not answered yet', async () => {
    const { async, locks, clock } = asynchronous();
    const grant = await locks.acquire('s');
    // It takes effect, and is repeated after a while, because nobody here knows.
    async.failNext('unlock', 'after');
    grant.release();
    await flush();
    async.failNext('lock', 'after');
    await expect(locks.acquire('s')).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    await clock.advance(1_000);
    expect(await locks.holder('s')).toBeUndefined();
  });

  test('0 asks the backend once', async () => {
    const { async, locks, clock } = asynchronous();
    const elsewhere = trackedLock({ backend: async, clock });
    const grant = await elsewhere.acquire('s');
    await expect(locks.acquire('s', { timeoutMs: 0 })).rejects.toMatchObject({ holder: { token: grant.token } });
    grant.release();
    await flush();
    (await locks.acquire('s', { timeoutMs: 0 })).release();
    await flush();
  });
});

describe('two nodes on one backend', () => {
  test('the notice of a release wakes the other node', async () => {
    const backend = memory();
    const [a, b] = [tracked({ backend }), tracked({ backend })];
    const grant = await a.control.locks.acquire('s');
    const waiting = b.control.locks.acquire('s');
    grant.release();
    const next = await waiting;
    expect(next.token).toBeGreaterThan(grant.token);
    next.release();
  });

  test('an abort that revokes a grant wakes the other node', async () => {
    const backend = memory();
    const [a, b] = [tracked({ backend }), tracked({ backend })];
    const run = await begin(a.control);
    const grant = await a.control.locks.acquire('s', { holder: run });
    const waiting = b.control.locks.acquire('s');
    await a.control.abort({ runId: run.id });
    const next = await waiting;
    expect(next.token).toBeGreaterThan(grant.token);
    next.release();
    run.complete();
  });

  test('without notices the lock is asked for again', async () => {
    const backend = memory();
    const clock = new FakeClock();
    const [a, b] = [trackedLock({ backend, clock }), trackedLock({ backend, clock })];
    const grant = await a.acquire('s');
    const waiting = b.acquire('s');
    grant.release();
    await clock.advance(50);
    (await waiting).release();
    expect(clock.pending).toBe(0);
  });
});

test('a drain leaves no release behind that the backend does not take', async () => {
  const async = new FaultyBackend();
  const { control, clock, errors } = tracked({ backend: async });
  const [early, late] = [await control.locks.acquire('s'), await control.locks.acquire('t')];
  for (let call = 0; call < 100; call++) async.failNext('unlock');
  early.release();
  await flush();
  const drained = control.drain({ graceMs: 0 });
  await clock.advance(2_000);
  await drained;
  late.release();
  await flush();
  expect(errors).toHaveLength(3);
  expect(errors[1]).toMatchObject({ code: 'BACKEND_UNAVAILABLE', message: expect.stringContaining('the lock of "s"') });
  expect(control.runs.sizes).toMatchObject({ locks: 0, timers: 0 });
});

describe('a drain leaves no session behind whose lock waits for an answer that comes too late', () => {
  test.each([
    { what: 'to a release that is sent again', asked: 'unlock' },
    { what: 'to the question for the record', asked: 'readSession' },
  ] as const)('$what', async ({ asked }) => {
    const async = new FaultyBackend();
    const { control, clock } = tracked({ backend: async });
    const run = await begin(control);
    async.failNext('lock', 'after');
    async.failNext(asked);
    await expect(control.locks.acquire('s')).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    async.failNext('end');
    run.complete();
    await flush();
    // The end goes first, and is answered late: the bound of what is sent after it is past the drain's.
    async.hold('end');
    async.hold(asked);
    const drained = control.drain({ graceMs: 0 });
    await clock.advance(50);
    async.release('end');
    await clock.advance(10_000);
    await drained;
    expect(control.runs.sizes).toMatchObject({ locks: 0, timers: 0 });
    async.release(asked);
    await flush();
    expect(control.runs.sizes).toMatchObject({ locks: 0, timers: 0 });
  });
});

test('a drain refuses who waits, and who comes later', async () => {
  const { control } = tracked();
  const grant = await control.locks.acquire('s');
  const waiting = expect(control.locks.acquire('s')).rejects.toMatchObject({ code: 'CLOSED' });
  await control.drain({ graceMs: 0 });
  await waiting;
  await expect(control.locks.acquire('s')).rejects.toMatchObject({ code: 'CLOSED' });
  grant.release();
});

test('a busy answer that comes after the bound changes nothing', async () => {
  const async = new FaultyBackend();
  const clock = new FakeClock();
  const [here, there] = [trackedLock({ backend: async, clock }), trackedLock({ backend: async, clock })];
  const grant = await there.acquire('s');
  async.hold('lock');
  const late = expect(here.acquire('s')).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  await clock.advance(2_000);
  await late;
  async.release('lock');
  await flush();
  expect(grant.isHeld()).toBe(true);
  grant.release();
  await flush();
});

test('a backend that says stale of a run that it calls current gives no lock, and the run goes on', async () => {
  const stale = { kind: 'stale', version: 0, snapshot: undefined } as const;
  const backend = Object.assign(new FaultyBackend(), { lock: async () => stale });
  const { control } = tracked({ backend });
  const run = await begin(control);
  await expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'LOCK_LOST' });
  expect(run.isCurrent()).toBe(true);
  run.complete();
  await flush();
});

test('a grant whose answer was lost is given back, also when the next one to ask is told that its run is stale', async () => {
  const state = memory();
  const deaf = new FaultyBackend({ over: state });
  const { control, clock } = tracked({ backend: deaf });
  const { control: other } = tracked({ backend: state }, clock);
  const run = await begin(control);
  deaf.isDeaf = true;
  await other.abort({ runId: run.id });
  deaf.failNext('lock', 'after');
  await expect(control.locks.acquire('s')).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  await flush();
  await expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ABORTED' });
  run.complete();
  await clock.advance(2_000);
  expect(await holderIn(state)).toBeUndefined();
});
