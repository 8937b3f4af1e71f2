import type { LockTimeoutError } from 'runfence';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';

test('a section gets a token of its own, and the lock is free afterwards (C16)', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const first = await run.commit(({ token }) => token);
  const second = await run.commit(async ({ token }) => token);
  expect(second).toBeGreaterThan(first);
  expect(await control.locks.holder('s')).toBeUndefined();
  run.complete();
});

test('a section that throws gives its own error, and the lock is free afterwards', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const failure = new Error('disk full');
  await expect(run.commit(() => Promise.reject(failure))).rejects.toBe(failure);
  await expect(
    run.commit(() => {
      throw failure;
    }),
  ).rejects.toBe(failure);
  expect(await control.locks.holder('s')).toBeUndefined();
  run.complete();
});

test('the commits of a session are written one after the other, in the order of the calls', async () => {
  const { control } = tracked();
  const runs = [await begin(control), await begin(control, { whenBusy: 'concurrent' })];
  const written: string[] = [];
  await Promise.all(
    [0, 1, 0, 1].map((index, place) =>
      runs[index]?.commit(async () => {
        written.push(`begin ${place}`);
        await flush();
        written.push(`end ${place}`);
      }),
    ),
  );
  expect(written).toEqual([0, 1, 2, 3].flatMap((place) => [`begin ${place}`, `end ${place}`]));
  for (const run of runs) run.complete();
});

describe('a section that was not started', () => {
  test('is refused after a cut, and counted', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const receipt = await control.abort({ runId: run.id });
    await expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    run.complete();
    expect((await receipt.whenQuiet()).runs[0]).toMatchObject({ fencedEffects: 1, lock: 'none' });
  });

  test('is refused by a cut while it waits for the lock, and counted (I7)', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s');
    const refused = expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    const receipt = await control.abort({ runId: run.id });
    await refused;
    grant.release();
    run.complete();
    expect((await receipt.whenQuiet()).runs[0]).toMatchObject({ fencedEffects: 1, lock: 'none' });
  });

  test('is refused by a normal end', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s');
    const waiting = expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ENDED' });
    run.complete();
    await waiting;
    await expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ENDED' });
    grant.release();
  });

  test('is refused by the backend before the notice of a stop elsewhere arrives, and the run is cut', async () => {
    const backend = new FaultyBackend();
    backend.isDeaf = true;
    const deaf = tracked({ backend });
    const other = tracked({ backend });
    const run = await begin(deaf.control);
    const successor = await begin(other.control);
    expect(run.isCurrent()).toBe(true);
    await expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({
      code: 'RUN_ABORTED',
      reason: 'superseded',
    });
    expect(run.isCurrent()).toBe(false);
    run.complete();
    successor.complete();
    await flush();
  });

  test('is refused if the backend does not answer', async () => {
    const async = new FaultyBackend();
    const { control } = tracked({ backend: async });
    const run = await begin(control);
    async.failNext('lock');
    await expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect(await run.commit(() => 'later')).toBe('later');
    run.complete();
    await flush();
  });
});

describe('LOCK_TIMEOUT', () => {
  test('names the run itself for a commit inside a commit (C3, C29)', async () => {
    const { control, clock } = tracked();
    const run = await begin(control);
    const outer = run.commit(({ token }) =>
      run.commit(() => expect.unreachable()).catch((error: LockTimeoutError) => ({ error, token })),
    );
    await clock.advance(30_000);
    const { error, token } = await outer;
    expect(error).toMatchObject({ code: 'LOCK_TIMEOUT', holder: { runId: run.id, token } });
    expect(error.message).toContain('this run itself');
    run.complete();
  });

  test('names another run as another', async () => {
    const { control } = tracked();
    const holder = await begin(control);
    const run = await begin(control, { whenBusy: 'concurrent' });
    const grant = await control.locks.acquire('s', { holder });
    const error = await run.commit(() => {}, { timeoutMs: 0 }).catch((caught: LockTimeoutError) => caught);
    expect(error).toMatchObject({ code: 'LOCK_TIMEOUT', holder: { runId: holder.id } });
    expect((error as Error).message).not.toContain('itself');
    grant.release();
    holder.complete();
    run.complete();
  });

  test.each([0, -5, Number.NaN])('timeoutMs %d does not wait', async (timeoutMs) => {
    const { control } = tracked();
    const run = await begin(control);
    expect(await run.commit(() => 'free', { timeoutMs })).toBe('free');
    const grant = await control.locks.acquire('s');
    await expect(run.commit(() => {}, { timeoutMs })).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
    grant.release();
    run.complete();
  });
});

test.each([
  [undefined, {}],
  [() => {}, { timeoutMs: '1' }],
  [() => {}, { waitMs: 1 }],
])('wrong options are refused (%#)', async (section, options) => {
  const { control } = tracked();
  const run = await begin(control);
  expect(() => run.commit(section as () => void, options as object)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS' }),
  );
  run.complete();
});
