import type { Backend, LockEvent, RunControl } from 'runfence';
import type { Notices } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { recordOf } from '../../support/records.js';
import { tracked, trackedLock, upstream } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

describe('release', () => {
  test('releasing twice does not free the lock of the next holder (C4)', async () => {
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

  test('releasing after a loss does not free the lock of the next holder (C25, I15)', async () => {
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
    const backend: Backend = Object.assign(new FaultyBackend(), {
      subscribe: (_nodeId: string, given: Notices) => {
        notices = given;
        return () => {};
      },
    });
    return { control: tracked({ backend }).control, backend, notices: () => notices };
  }

  test('a lock that the backend lost cuts its run, before anybody is told', async () => {
    const { control, backend, notices } = noticed();
    const run = await begin(control);
    const before = await recordOf(backend);
    const grant = await control.locks.acquire('s', { holder: run });
    const current: boolean[] = [];
    control.on('lock:lost', () => current.push(run.isCurrent()));
    // A record from before the grant says nothing of it.
    notices().changed('s', before.version, before);
    expect(grant.isHeld()).toBe(true);
    const { version } = await backend.unlock({ sessionKey: 's', nodeId: 'other', token: grant.token, seen: 0 });
    notices().changed('s', version, await recordOf(backend));
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
    await backend.unlock({ sessionKey: 's', nodeId: 'other', token: grants[0]?.token ?? 0, seen: 0 });
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
