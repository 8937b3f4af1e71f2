import { type LockTimeoutError, SessionLock } from 'runfence';
import { memory } from 'runfence/backend';
import { FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { listenersOn, tracked, trackedLock, upstream } from '../../support/tracked.js';

describe('order', () => {
  test('eight waiters are served in the order in which they came (C36)', async () => {
    const locks = trackedLock();
    const first = await locks.acquire('s');
    const served: number[] = [];
    const waiting = [1, 2, 3, 4, 5, 6, 7, 8].map(async (place) => {
      const grant = await locks.acquire('s');
      served.push(place);
      grant.release();
    });
    await flush();
    expect(served).toEqual([]);
    first.release();
    await Promise.all(waiting);
    expect(served).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('sessions do not wait for each other', async () => {
    const locks = trackedLock();
    const grants = await Promise.all(['a', 'b', 'c'].map((key) => locks.acquire(key)));
    for (const grant of grants) grant.release();
    expect(grants.map((grant) => grant.sessionKey)).toEqual(['a', 'b', 'c']);
  });

  test('tokens strictly increase and are unique, with aborts in between', async () => {
    const locks = trackedLock();
    const tokens: number[] = [];
    for (let turn = 0; turn < 20; turn++) {
      const holder = upstream();
      const grant = await locks.acquire('s', { holder: holder.signal });
      const gaveUp = upstream();
      const left = locks.acquire('s', { signal: gaveUp.signal });
      gaveUp.abort(new Error('left'));
      await expect(left).rejects.toThrow('left');
      tokens.push(grant.token);
      if (turn % 2 === 0) grant.release();
      else holder.abort();
    }
    expect(new Set(tokens).size).toBe(20);
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
  });

  test('a deep queue of sections that are over at once does not overflow the stack', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s');
    let written = 0;
    const commits = Array.from({ length: 5_000 }, () => run.commit(() => (written += 1)));
    grant.release();
    await Promise.all(commits);
    expect(written).toBe(5_000);
    run.complete();
  });
});

describe('leaving while waiting', () => {
  test('an aborted signal stops the waiting with its own reason, and the next keeps its place', async () => {
    const locks = trackedLock();
    const grant = await locks.acquire('s');
    const controller = upstream();
    const reason = new Error('changed my mind');
    const left = locks.acquire('s', { signal: controller.signal });
    const stays = locks.acquire('s');
    controller.abort(reason);
    await expect(left).rejects.toBe(reason);
    grant.release();
    (await stays).release();
  });

  test('a signal that is aborted already does not wait, and leaves the lock alone', async () => {
    const locks = trackedLock();
    await expect(locks.acquire('s', { signal: AbortSignal.abort(new Error('over')) })).rejects.toThrow('over');
    expect(await locks.holder('s')).toBeUndefined();
  });

  test('a cut stops the waiting of its run', async () => {
    const { control } = tracked();
    const [holder, waiter] = [await begin(control), await begin(control, { whenBusy: 'concurrent' })];
    const grant = await control.locks.acquire('s', { holder });
    const waiting = control.locks.acquire('s', { holder: waiter });
    await control.abort({ runId: waiter.id });
    await expect(waiting).rejects.toMatchObject({ code: 'RUN_ABORTED', reason: 'user' });
    expect(grant.isHeld()).toBe(true);
    holder.complete();
    waiter.complete();
  });

  test('a normal end stops the waiting of its run', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s');
    const waiting = control.locks.acquire('s', { holder: run });
    run.complete();
    await expect(waiting).rejects.toMatchObject({ code: 'RUN_ENDED' });
    grant.release();
  });

  test('many waiters on one signal put one listener on it, and take it away', async () => {
    const locks = trackedLock();
    const grant = await locks.acquire('s');
    const { signal } = upstream();
    const waiting = Array.from({ length: 20 }, () => locks.acquire('s', { signal, holder: signal }));
    // One for waiting and one for holding at most.
    expect(listenersOn(signal)).toBeLessThanOrEqual(2);
    grant.release();
    for (const next of waiting) (await next).release();
    expect(listenersOn(signal)).toBe(0);
  });
});

describe('how long to wait', () => {
  test.each([0, Number.NaN, -1, Number.NEGATIVE_INFINITY])('%d does not wait', async (timeoutMs) => {
    const { control, clock } = tracked();
    const grant = await control.locks.acquire('s', { timeoutMs });
    await expect(control.locks.acquire('s', { timeoutMs })).rejects.toMatchObject({
      code: 'LOCK_TIMEOUT',
      holder: { token: grant.token },
    });
    expect(clock.pending).toBe(0);
    grant.release();
  });

  test('Infinity waits for ever', async () => {
    const { control, clock } = tracked();
    const grant = await control.locks.acquire('s');
    let isServed = false;
    const waiting = control.locks.acquire('s', { timeoutMs: Number.POSITIVE_INFINITY }).then((next) => {
      isServed = true;
      next.release();
    });
    await clock.advance(400 * 24 * 3_600_000);
    expect(isServed).toBe(false);
    grant.release();
    await waiting;
  });

  test('30 seconds are waited by default, and the error names the holder (C5, C11)', async () => {
    const { control, clock } = tracked();
    const holder = await begin(control);
    const grant = await control.locks.acquire('s', { holder });
    let error: LockTimeoutError | undefined;
    const waiting = control.locks.acquire('s').catch((caught) => {
      error = caught;
    });
    await clock.advance(29_999);
    expect(error).toBeUndefined();
    await clock.advance(1);
    await waiting;
    expect(error).toMatchObject({ code: 'LOCK_TIMEOUT', holder: { runId: holder.id, token: grant.token } });
    expect(error?.message).toContain(`run "${holder.id}"`);
    holder.complete();
  });

  test('lockTimeoutMs is the default of a control', async () => {
    const { control, clock } = tracked({ defaults: { lockTimeoutMs: 10 } });
    const run = await begin(control);
    const grant = await control.locks.acquire('s');
    const waiting = expect(run.commit(() => {})).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
    await clock.advance(10);
    await waiting;
    grant.release();
    run.complete();
  });

  test('a waiter keeps the process alive until it is served', async () => {
    const { control, clock } = tracked();
    const grant = await control.locks.acquire('s');
    const waiting = control.locks.acquire('s', { timeoutMs: 1_000 });
    expect(clock.refed).toBe(1);
    grant.release();
    (await waiting).release();
    expect(clock.refed).toBe(0);
  });

  test('a lock whose release is on its way counts as not free, and not as held by an earlier holder (C20)', async () => {
    const async = new FaultyBackend();
    const clock = new FakeClock();
    const elsewhere = trackedLock({ backend: async, clock });
    const locks = trackedLock({ backend: async, clock });
    const foreign = await elsewhere.acquire('s');
    const first = locks.acquire('s');
    const waiting = locks.acquire('s');
    await flush();
    foreign.release();
    await clock.advance(50);
    const grant = await first;
    async.hold('unlock');
    grant.release();
    const error = await locks.acquire('s', { timeoutMs: 0 }).catch((caught: LockTimeoutError) => caught);
    expect(error).toMatchObject({ code: 'LOCK_TIMEOUT' });
    expect((error as LockTimeoutError).holder?.token).not.toBe(foreign.token);
    async.release('unlock');
    (await waiting).release();
    await flush();
  });
});

describe('the holder', () => {
  test('a holding signal that is aborted frees the lock for the next at once', async () => {
    const locks = trackedLock();
    const controller = upstream();
    const grant = await locks.acquire('s', { holder: controller.signal });
    const next = locks.acquire('s');
    controller.abort();
    expect(grant.isHeld()).toBe(false);
    expect(grant.lost.aborted).toBe(true);
    (await next).release();
  });

  test('a holding signal that is aborted while waiting stops the waiting', async () => {
    const locks = trackedLock();
    const controller = upstream();
    const grant = await locks.acquire('s');
    const waiting = locks.acquire('s', { holder: controller.signal });
    controller.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    grant.release();
  });

  test('a holding signal that is aborted already takes no lock', async () => {
    const locks = trackedLock();
    await expect(locks.acquire('s', { holder: AbortSignal.abort(new Error('gone')) })).rejects.toThrow('gone');
    expect(await locks.holder('s')).toBeUndefined();
  });

  test('a run that is over, or queued, takes no lock (C26)', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const queued = await control.runs.begin({ sessionKey: 's', whenBusy: 'enqueue' });
    if (queued.status !== 'queued') throw new Error(queued.status);
    const { locks } = control;
    await expect(locks.acquire('s', { holder: queued.run })).rejects.toMatchObject({ code: 'RUN_QUEUED' });
    await control.abort({ sessionKey: 's' });
    await expect(locks.acquire('s', { holder: run })).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    run.complete();
    await expect(locks.acquire('s', { holder: run })).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    queued.run.complete();
  });

  test('a run may hold the lock of another session, and loses it at its cut', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('other', { holder: run });
    await control.abort({ sessionKey: 's' });
    expect(grant.isHeld()).toBe(false);
    expect(await control.locks.holder('other')).toBeUndefined();
    run.complete();
  });

  test('a lock of its own on the backend of a control takes its runs', async () => {
    const backend = memory();
    const { control } = tracked({ backend });
    const locks = trackedLock({ backend });
    const run = await begin(control);
    const grant = await locks.acquire('s', { holder: run });
    expect(await control.locks.holder('s')).toMatchObject({ runId: run.id, token: grant.token });
    await control.abort({ runId: run.id });
    expect(grant.lost.aborted).toBe(true);
    expect(await control.locks.holder('s')).toBeUndefined();
    run.complete();
  });

  test('a run of another backend, and what is no holder, are refused', async () => {
    const { control } = tracked();
    const foreign = await begin(tracked().control);
    for (const holder of [foreign, null, {}, 'run-1']) {
      await expect(control.locks.acquire('s', { holder: holder as AbortSignal })).rejects.toMatchObject({
        code: 'INVALID_OPTIONS',
      });
    }
    foreign.complete();
  });
});

test.each([
  ['', {}],
  ['  ', {}],
  [7, {}],
  ['s', { timeoutMs: '5' }],
  ['s', { signal: {} }],
  ['s', { wait: 5 }],
])('acquire(%j, %j) is refused (I21)', async (sessionKey, options) => {
  const locks = trackedLock();
  await expect(locks.acquire(sessionKey as string, options as object)).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
  });
});

test('unknown options of a lock are refused', () => {
  expect(() => new SessionLock({ ttl: 5 } as object)).toThrow('ttl');
});

test('a lock that is handed over by an earlier listener of its holder’s signal is taken away at once', async () => {
  const locks = trackedLock();
  const first = await locks.acquire('s');
  const holder = upstream();
  // Before ours: the lock comes while the signal is aborted already, and our listener is not called yet.
  holder.signal.addEventListener('abort', () => first.release());
  const waiting = locks.acquire('s', { holder: holder.signal });
  await flush();
  holder.abort();
  const grant = await waiting;
  expect([grant.isHeld(), grant.lost.aborted]).toEqual([false, true]);
  (await locks.acquire('s')).release();
});

test('a clock that throws when the waiting begins refuses who asked, who is not served later', async () => {
  const { control, clock } = tracked();
  const grant = await control.locks.acquire('s');
  const set = clock.setTimeout.bind(clock);
  clock.setTimeout = () => {
    clock.setTimeout = set;
    throw new Error('no timer is left');
  };
  await expect(control.locks.acquire('s')).rejects.toThrow('no timer is left');
  grant.release();
  expect(await control.locks.holder('s')).toBeUndefined();
});

test('a clock that throws refuses who asked for the lock, and the next is served', async () => {
  class Broken extends FakeClock {
    isBroken = true;
    override now(): number {
      if (this.isBroken) throw new Error('no time');
      return super.now();
    }
  }
  const clock = new Broken();
  const locks = trackedLock({ clock });
  await expect(locks.acquire('s')).rejects.toThrow('no time');
  clock.isBroken = false;
  const next = await locks.acquire('s', { timeoutMs: 0 });
  next.release();
  expect(await locks.holder('s')).toBeUndefined();
});
