import { type Backend, type LockEvent, memory, type Notices, type RunControl } from 'runfence';
import { describe, expect, test } from 'vitest';
import { AsyncBackend } from '../../support/async-backend.js';
import { begin } from '../../support/begin.js';
import { flush } from '../../support/fake-clock.js';
import { tracked, trackedLock, upstream } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

describe('release', () => {
  test('releasing twice does not free the lock of the next holder', async () => {
    const locks = trackedLock();
    const first = await locks.acquire('s');
    const waiting = locks.acquire('s');
    first.release();
    const second = await waiting;
    first.release();
    expect(second.isHeld()).toBe(true);
    expect(await locks.holder('s')).toMatchObject({ token: second.token });
    second.release();
  });

  test('releasing after a loss does not free the lock of the next holder', async () => {
    const locks = trackedLock();
    const controller = upstream();
    const first = await locks.acquire('s', { holder: controller.signal });
    controller.abort();
    const second = await locks.acquire('s');
    first.release();
    expect(second.isHeld()).toBe(true);
    second.release();
  });

  test('a release is no loss', async () => {
    const locks = trackedLock();
    const controller = upstream();
    const grant = await locks.acquire('s', { holder: controller.signal });
    const { lost } = grant;
    grant.release();
    controller.abort();
    expect(lost.aborted).toBe(false);
    expect(grant.lost.aborted).toBe(false);
    expect(grant.isHeld()).toBe(false);
  });

  test('a release while a section runs frees the lock when the section ends', async () => {
    const locks = trackedLock();
    const grant = await locks.acquire('s');
    const write = gate<string>();
    const written = grant.commit(() => write.promise);
    await flush();
    grant.release();
    await expect(grant.commit(() => {})).rejects.toMatchObject({ code: 'LOCK_LOST' });
    await expect(locks.acquire('s', { timeoutMs: 0 })).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
    write.open('done');
    expect(await written).toBe('done');
    expect(grant.lost.aborted).toBe(false);
    (await locks.acquire('s', { timeoutMs: 0 })).release();
  });

  test('an abort after a release, while the section still runs, takes nothing from the holder', async () => {
    const { control } = tracked();
    const lost: LockEvent[] = [];
    control.on('lock:lost', (event) => lost.push(event));
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    const write = gate();
    const written = grant.commit(() => write.promise);
    await flush();
    grant.release();
    await control.abort({ runId: run.id });
    write.open();
    await written;
    expect(lost).toEqual([]);
    expect(grant.lost.aborted).toBe(false);
    run.complete();
  });
});

describe('loss', () => {
  test('an abort of the holding run fires lost with the reason of the abort', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    const reasons: unknown[] = [];
    grant.lost.addEventListener('abort', () => reasons.push(grant.lost.reason), { once: true });
    await control.abort({ runId: run.id });
    expect(reasons).toMatchObject([{ code: 'RUN_ABORTED', reason: 'user' }]);
    run.complete();
  });

  test('a normal end of the holding run frees the lock, and is no loss', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    run.complete();
    expect(grant.isHeld()).toBe(false);
    expect(grant.lost.aborted).toBe(false);
    expect(await control.locks.holder('s')).toBeUndefined();
  });

  test('lost that is first read after the loss is aborted', async () => {
    const locks = trackedLock();
    const controller = upstream();
    const grant = await locks.acquire('s', { holder: controller.signal });
    controller.abort();
    expect(grant.lost.reason).toMatchObject({ reason: 'upstream' });
  });

  test('a listener of lost finds the grant not held, and may release it', async () => {
    const locks = trackedLock();
    const controller = upstream();
    const grant = await locks.acquire('s', { holder: controller.signal });
    const seen: boolean[] = [];
    grant.lost.addEventListener('abort', () => {
      seen.push(grant.isHeld());
      grant.release();
    });
    controller.abort();
    expect(seen).toEqual([false]);
    (await locks.acquire('s')).release();
  });

  test('an abort while a section runs fires lost when the section has ended, and not in it', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    const write = gate();
    const { lost } = grant;
    let inSection: AbortSignal | undefined;
    const written = grant.commit(async (context) => {
      await write.promise;
      inSection = context.lost;
      expect(context.lost.aborted).toBe(false);
    });
    await flush();
    await control.abort({ runId: run.id });
    expect(grant.isHeld()).toBe(false);
    expect(lost.aborted).toBe(false);
    write.open();
    await written;
    expect(lost.aborted).toBe(true);
    expect(inSection?.aborted).toBe(false);
    run.complete();
  });

  /** A control whose notices the test gives. */
  function noticed(): { control: RunControl; backend: Backend; notices: () => Notices } {
    let notices: Notices;
    const backend: Backend = {
      ...new AsyncBackend().backend,
      subscribe: (_nodeId, given) => {
        notices = given;
        return () => {};
      },
    };
    return { control: tracked({ backend }).control, backend, notices: () => notices };
  }

  test('a lock that the backend lost cuts its run, before anybody is told', async () => {
    const { control, notices } = noticed();
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    const current: boolean[] = [];
    control.on('lock:lost', () => current.push(run.isCurrent()));
    notices().lockLost({ sessionKey: 's', token: grant.token - 1 });
    expect(grant.isHeld()).toBe(true);
    notices().lockLost({ sessionKey: 's', token: grant.token });
    expect(run.reason).toBe('lock-lost');
    expect(grant.lost.reason).toMatchObject({ reason: 'lock-lost' });
    await flush();
    expect(current).toEqual([false]);
    run.complete();
    await flush();
  });

  test('a lock that was lost while notices were missed is found lost after the gap, and others are kept', async () => {
    const { control, backend, notices } = noticed();
    const [lost, kept] = [await begin(control), await begin(control, { sessionKey: 't' })];
    const grants = [
      await control.locks.acquire('s', { holder: lost }),
      await control.locks.acquire('t', { holder: kept }),
    ];
    await backend.unlock({ sessionKey: 's', token: grants[0]?.token ?? 0 });
    notices().gap();
    await flush();
    expect([lost.reason, kept.isCurrent()]).toEqual(['lock-lost', true]);
    expect(grants.map((grant) => grant.isHeld())).toEqual([false, true]);
    lost.complete();
    kept.complete();
    await flush();
  });

  test('a gap wakes who waits for a lock without a run', async () => {
    const { control, backend, notices } = noticed();
    const elsewhere = trackedLock({ backend });
    const grant = await elsewhere.acquire('s');
    const waiting = control.locks.acquire('s');
    await flush();
    grant.release();
    await flush();
    notices().gap();
    (await waiting).release();
    await flush();
  });
});

describe('commit', () => {
  test('a section gets the token of its grant, which stays held', async () => {
    const locks = trackedLock();
    const grant = await locks.acquire('s');
    expect(await grant.commit(({ token }) => token)).toBe(grant.token);
    expect(await grant.commit(async ({ token }) => token)).toBe(grant.token);
    expect(grant.isHeld()).toBe(true);
    grant.release();
    await expect(grant.commit(() => {})).rejects.toMatchObject({ code: 'LOCK_LOST' });
  });

  test('a section that throws gives its own error, and the grant stays held', async () => {
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

  test('a token that is not the newest in the backend any more is refused, and lost fires', async () => {
    const backend = memory();
    const locks = trackedLock({ backend });
    const grant = await locks.acquire('s');
    const { lost } = grant;
    backend.unlock({ sessionKey: 's', token: grant.token });
    await expect(grant.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'LOCK_LOST' });
    expect(lost.aborted).toBe(true);
    expect(grant.isHeld()).toBe(false);
  });

  test('a run whose token is not the newest any more is cut with lock-lost', async () => {
    const backend = memory();
    const { control } = tracked({ backend });
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    backend.unlock({ sessionKey: 's', token: grant.token });
    await expect(grant.commit(() => expect.unreachable())).rejects.toMatchObject({ reason: 'lock-lost' });
    expect(run.reason).toBe('lock-lost');
    run.complete();
  });

  test('a run that another node stopped is refused before its notice arrives, and cut', async () => {
    const { backend } = new AsyncBackend();
    const deaf = tracked({ backend: { ...backend, subscribe: () => () => {} } });
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
    const async = new AsyncBackend();
    const locks = trackedLock({ backend: async.backend });
    const grant = await locks.acquire('s');
    async.failNext('holder');
    await expect(grant.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect(await grant.commit(({ token }) => token)).toBe(grant.token);
    grant.release();
    await flush();
  });

  test('an abort while the check is under way starts no section, and frees the lock', async () => {
    const async = new AsyncBackend();
    const { control } = tracked({ backend: async.backend });
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    async.hold('holder');
    const refused = expect(grant.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    await flush();
    await control.abort({ runId: run.id });
    async.letGo('holder');
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
    ['with promises', () => new AsyncBackend().backend],
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
    const async = new AsyncBackend();
    const { control } = tracked({ backend: async.backend });
    const told: string[] = [];
    for (const event of ['lock:lost', 'lock:released'] as const) control.on(event, () => told.push(event));
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    async.hold('stop');
    const aborted = control.abort({ runId: run.id });
    await flush();
    expect([grant.lost.aborted, told]).toEqual([true, []]);
    async.letGo('stop');
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
    const async = new AsyncBackend();
    const { control, clock } = tracked({ backend: async.backend });
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
