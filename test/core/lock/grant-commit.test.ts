import type { LockEvent, RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked, trackedLock } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

describe('commit', () => {
  test('a section gets the token of its grant, which stays held (C31)', async () => {
    const locks = trackedLock();
    const grant = await locks.acquire('s');
    expect(await grant.commit(({ token }) => token)).toBe(grant.token);
    expect(await grant.commit(async ({ token }) => token)).toBe(grant.token);
    expect(grant.isHeld()).toBe(true);
    grant.release();
    await expect(grant.commit(() => {})).rejects.toMatchObject({ code: 'LOCK_LOST' });
  });

  test('a section that throws gives its own error, and the grant stays held (C32)', async () => {
    const locks = trackedLock();
    const grant = await locks.acquire('s');
    const failure = new Error('disk full');
    await expect(
      grant.commit(() => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    await expect(grant.commit(() => Promise.reject(failure))).rejects.toBe(failure);
    expect(grant.isHeld()).toBe(true);
    grant.release();
  });

  test('the lock is free when the last of several sections has ended', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    const [first, second] = [gate(), gate()];
    const written = [grant.commit(() => first.promise), grant.commit(() => second.promise)];
    await flush();
    await control.abort({ runId: run.id });
    first.open();
    await written[0];
    expect(await control.locks.holder('s')).toMatchObject({ token: grant.token });
    second.open();
    await written[1];
    expect(await control.locks.holder('s')).toBeUndefined();
    run.complete();
  });

  test('a grant whose run was cut refuses with the abort, and calls nothing', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    await control.abort({ runId: run.id });
    await expect(grant.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    run.complete();
  });

  test('a token that is not the newest in the backend any more is refused, and lost fires (C30)', async () => {
    const backend = memory();
    const locks = trackedLock({ backend });
    const grant = await locks.acquire('s');
    const { lost } = grant;
    backend.unlock({ sessionKey: 's', nodeId: 'other', token: grant.token, seen: 0 });
    await expect(grant.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'LOCK_LOST' });
    expect(lost.aborted).toBe(true);
    expect(grant.isHeld()).toBe(false);
  });

  test('a run whose token is not the newest any more is cut with lock-lost', async () => {
    const backend = memory();
    const { control } = tracked({ backend });
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    backend.unlock({ sessionKey: 's', nodeId: 'other', token: grant.token, seen: 0 });
    await expect(grant.commit(() => expect.unreachable())).rejects.toMatchObject({ reason: 'lock-lost' });
    expect(run.reason).toBe('lock-lost');
    run.complete();
  });

  test('a run that another node stopped is refused before its notice arrives, and cut', async () => {
    const backend = new FaultyBackend();
    backend.isDeaf = true;
    const deaf = tracked({ backend });
    const other = tracked({ backend });
    const run = await begin(deaf.control);
    const grant = await deaf.control.locks.acquire('s', { holder: run });
    await other.control.abort({ sessionKey: 's' });
    expect(run.isCurrent()).toBe(true);
    await expect(grant.commit(() => expect.unreachable())).rejects.toMatchObject({
      code: 'RUN_ABORTED',
      reason: 'user',
    });
    expect(run.isCurrent()).toBe(false);
    run.complete();
    await flush();
  });

  test('a check without an answer calls nothing, and the grant stays held', async () => {
    const async = new FaultyBackend();
    const locks = trackedLock({ backend: async });
    const grant = await locks.acquire('s');
    async.failNext('check');
    await expect(grant.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect(await grant.commit(({ token }) => token)).toBe(grant.token);
    grant.release();
    await flush();
  });

  test('an abort while the check is under way starts no section, and frees the lock (C21)', async () => {
    const async = new FaultyBackend();
    const { control } = tracked({ backend: async });
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    async.hold('check');
    const refused = expect(grant.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    await flush();
    await control.abort({ runId: run.id });
    async.release('check');
    await refused;
    run.complete();
    await flush();
    expect(await control.locks.holder('s')).toBeUndefined();
  });

  test('a section that outlives the write grace is told, and its late error is not lost', async () => {
    const { control, clock, errors } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    const write = gate();
    let told: AbortSignal | undefined;
    const written = expect(
      grant.commit(({ lost }) => {
        told = lost;
        return write.promise;
      }),
    ).rejects.toMatchObject({ code: 'LOCK_LOST' });
    await flush();
    await control.abort({ runId: run.id });
    await clock.advance(4_999);
    expect(told?.aborted).toBe(false);
    await clock.advance(1);
    await written;
    expect(told?.aborted).toBe(true);
    const late = new Error('connection reset');
    write.fail(late);
    await flush();
    expect(errors).toEqual([late]);
    run.complete();
  });
});

describe('events', () => {
  function heard(control: RunControl): string[] {
    const seen: string[] = [];
    for (const event of ['lock:granted', 'lock:lost', 'lock:released'] as const) {
      control.on(event, ({ token }) => {
        void control.locks.holder('s').then((holder) => seen.push(`${event} ${token}, held by ${holder?.token}`));
      });
    }
    return seen;
  }

  test.each([
    ['at once', () => memory()],
    ['with promises', () => new FaultyBackend()],
  ])('each shows the state that it announces, on a backend that answers %s', async (_, backend) => {
    const { control } = tracked({ backend: backend() });
    const seen = heard(control);
    const run = await begin(control);
    const first = await control.locks.acquire('s', { holder: run });
    first.release();
    await flush();
    const second = await control.locks.acquire('s', { holder: run });
    await flush();
    await control.abort({ runId: run.id });
    run.complete();
    await flush();
    expect(seen).toEqual([
      `lock:granted ${first.token}, held by ${first.token}`,
      `lock:released ${first.token}, held by undefined`,
      `lock:granted ${second.token}, held by ${second.token}`,
      `lock:lost ${second.token}, held by undefined`,
      `lock:released ${second.token}, held by undefined`,
    ]);
  });

  test('of an abort are told when the backend has taken the stop, and not before', async () => {
    const async = new FaultyBackend();
    const { control } = tracked({ backend: async });
    const told: string[] = [];
    for (const event of ['lock:lost', 'lock:released'] as const) control.on(event, () => told.push(event));
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    async.hold('stop');
    const aborted = control.abort({ runId: run.id });
    await flush();
    expect([grant.lost.aborted, told]).toEqual([true, []]);
    async.release('stop');
    await aborted;
    expect(told).toEqual(['lock:lost', 'lock:released']);
    run.complete();
    await flush();
  });

  test('they name the run, or none for a holder that is no run', async () => {
    const { control } = tracked();
    const events: LockEvent[] = [];
    control.on('lock:granted', (event) => events.push(event));
    const run = await begin(control);
    const { token } = await control.locks.acquire('s', { holder: run });
    run.complete();
    const grant = await control.locks.acquire('s');
    grant.release();
    expect(events).toEqual([
      { sessionKey: 's', token, runId: run.id },
      { sessionKey: 's', token: grant.token, runId: undefined },
    ]);
  });

  test('an abort inside lock:granted frees the lock, and its waiter gets no grant', async () => {
    const { control } = tracked();
    const run = await begin(control);
    control.on('lock:granted', () => control.abort({ runId: run.id }));
    await expect(control.locks.acquire('s', { holder: run })).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    expect(await control.locks.holder('s')).toBeUndefined();
    run.complete();
  });

  test('lock:released is not told before the backend has taken the release', async () => {
    const async = new FaultyBackend();
    const { control, clock } = tracked({ backend: async });
    const released: number[] = [];
    control.on('lock:released', ({ token }) => released.push(token));
    const grant = await control.locks.acquire('s');
    async.failNext('unlock');
    grant.release();
    await flush();
    expect(released).toEqual([]);
    await clock.advance(2_000);
    expect(released).toEqual([grant.token]);
  });
});
