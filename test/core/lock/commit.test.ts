import type { LockTimeoutError, Run } from 'runfence';
import { describe, expect, test } from 'vitest';
import { AsyncBackend } from '../../support/async-backend.js';
import { begin } from '../../support/begin.js';
import { flush } from '../../support/fake-clock.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

test('a section gets a token of its own, and the lock is free afterwards', async () => {
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

  test('is refused by a cut while it waits for the lock, and counted', async () => {
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
    const { backend } = new AsyncBackend();
    const deaf = tracked({ backend: { ...backend, subscribe: () => () => {} } });
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
    const async = new AsyncBackend();
    const { control } = tracked({ backend: async.backend });
    const run = await begin(control);
    async.failNext('lock');
    await expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect(await run.commit(() => 'later')).toBe('later');
    run.complete();
    await flush();
  });
});

describe('LOCK_TIMEOUT', () => {
  test('names the run itself for a commit inside a commit', async () => {
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

describe('a started section', () => {
  const ends: readonly [string, (run: Run, stop: () => unknown) => unknown][] = [
    ['an abort', (_, stop) => stop()],
    ['a normal end', (run) => run.complete()],
    ['a failure', (run) => run.fail(new Error('no'))],
  ];

  test.each(ends)('finishes and resolves across %s, and the lock is free right after', async (_, end) => {
    const { control } = tracked();
    const run = await begin(control);
    const write = gate<string>();
    const written = run.commit(() => write.promise);
    await end(run, () => control.abort({ runId: run.id }));
    expect(await control.locks.holder('s')).toMatchObject({ runId: run.id });
    write.open('saved');
    expect(await written).toBe('saved');
    expect(await control.locks.holder('s')).toBeUndefined();
    run.complete();
  });

  test('finishes and resolves across a timeout', async () => {
    const { control, clock } = tracked();
    const run = await begin(control, { timeoutMs: 100 });
    const write = gate<string>();
    const written = run.commit(() => write.promise);
    await clock.advance(100);
    expect(run.reason).toBe('timeout');
    write.open('saved');
    expect(await written).toBe('saved');
    run.complete();
  });

  test('finishes across a takeover; the successor works at once and writes right after', async () => {
    const { control } = tracked();
    const old = await begin(control);
    const write = gate<number>();
    const order: string[] = [];
    const written = old.commit(({ token }) => write.promise.then(() => token)).finally(() => order.push('old'));
    let token = 0;
    const next = control.run({ sessionKey: 's' }, async (run) => {
      order.push('work');
      token = await run.commit((context) => context.token);
      order.push('next');
    });
    expect(order).toEqual(['work']);
    await flush();
    expect(order).toEqual(['work']);
    write.open(0);
    await next;
    expect(await written).toBeLessThan(token);
    expect(order).toEqual(['work', 'old', 'next']);
    old.complete();
  });

  test('reports its lock as pending while it runs, and as released afterwards', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const write = gate();
    const written = run.commit(() => write.promise);
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([
      { state: 'leftovers', lock: 'pending', leftovers: ['commit'] },
    ]);
    write.open();
    await written;
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({
      quiet: true,
      runs: [{ state: 'quiet', lock: 'released', leftovers: [] }],
    });
  });

  test('that hangs is revoked after the write grace, named, and the successor is served', async () => {
    const { control, clock } = tracked();
    const old = await begin(control);
    const write = gate();
    let lost: AbortSignal | undefined;
    let code: unknown;
    const hung = old
      .commit((context) => {
        lost = context.lost;
        return write.promise;
      })
      .catch((error) => {
        code = error.code;
      });
    const receipt = await control.abort({ runId: old.id });
    old.complete();
    const next = await begin(control);
    const tokens: number[] = [];
    const served = next.commit(({ token }) => tokens.push(token));
    await clock.advance(4_999);
    expect([code, lost?.aborted, tokens.length]).toEqual([undefined, false, 0]);
    await clock.advance(1);
    await Promise.all([hung, served]);
    expect([code, lost?.aborted, tokens.length]).toEqual(['LOCK_LOST', true, 1]);
    expect(lost?.reason).toMatchObject({ code: 'RUN_ABORTED', reason: 'user' });
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([
      { state: 'leftovers', lock: 'revoked', leftovers: ['commit'] },
    ]);
    write.open();
    await flush();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'quiet', lock: 'revoked', leftovers: [] }]);
    next.complete();
  });

  test('may abort its own run, and is not waited for by the abort', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const written = await run.commit(async ({ lost }) => {
      const receipt = await control.abort({ runId: run.id });
      expect(lost.aborted).toBe(false);
      return receipt.result;
    });
    expect(written).toBe('aborted');
    expect(await control.locks.holder('s')).toBeUndefined();
    run.complete();
  });

  test('that aborts its own run and then waits for quiet is revoked, not waited for by itself', async () => {
    const { control, clock } = tracked();
    const run = await begin(control);
    const hung = run
      .commit(async () => (await control.abort({ runId: run.id })).whenQuiet({ timeoutMs: 6_000 }))
      .catch((error) => error.code);
    await flush();
    await clock.advance(5_000);
    expect(await hung).toBe('LOCK_LOST');
    expect(await control.locks.holder('s')).toBeUndefined();
    run.complete();
    await clock.advance(1_000);
  });

  test('of a run that is aborted twice ends once', async () => {
    const { control, clock } = tracked();
    const released: number[] = [];
    control.on('lock:released', ({ token }) => released.push(token));
    const run = await begin(control);
    const write = gate();
    const written = run.commit(() => write.promise);
    const first = await control.abort({ runId: run.id });
    await clock.advance(2_500);
    const second = await control.abort({ runId: run.id });
    write.open();
    await written;
    run.complete();
    expect([first.result, second.result, released.length]).toEqual(['aborted', 'already-ended', 1]);
    expect((await second.whenQuiet()).runs).toMatchObject([{ lock: 'released' }]);
  });
});

describe('an idle grant at the cut', () => {
  test('is free for the next within the call of the abort', async () => {
    const { control } = tracked();
    const run = await begin(control);
    await control.locks.acquire('s', { holder: run });
    const granted: string[] = [];
    control.on('lock:granted', ({ runId }) => granted.push(runId ?? 'none'));
    const next = control.locks.acquire('s');
    const aborted = control.abort({ runId: run.id });
    expect(granted).toEqual(['none']);
    run.complete();
    expect((await (await aborted).whenQuiet()).runs).toMatchObject([{ lock: 'released' }]);
    (await next).release();
  });

  test('is free for the next also if the backend does not take the stop', async () => {
    const async = new AsyncBackend();
    const { control, clock, errors } = tracked({ backend: async.backend });
    const run = await begin(control);
    await control.locks.acquire('s', { holder: run });
    const next = control.locks.acquire('s');
    async.failNext('stop');
    const receipt = await control.abort({ runId: run.id });
    expect(receipt.recorded).toBe('unreachable');
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
    await clock.advance(1_000);
    (await next).release();
    run.complete();
    await flush();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ lock: 'released' }]);
  });

  test('is pending in the receipt until the backend has answered', async () => {
    const async = new AsyncBackend();
    const { control } = tracked({ backend: async.backend });
    const run = await begin(control);
    await control.locks.acquire('s', { holder: run });
    async.hold('stop');
    const first = control.abort({ runId: run.id });
    run.complete();
    const second = await control.abort({ runId: run.id });
    expect((await second.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ lock: 'pending', leftovers: ['lock'] }]);
    async.letGo('stop');
    await first;
    expect((await second.whenQuiet()).runs).toMatchObject([{ lock: 'released', leftovers: [] }]);
    await flush();
  });

  test('that the backend takes back neither with the stop nor by itself is failed, and told', async () => {
    const async = new AsyncBackend();
    const { control, clock, errors } = tracked({ backend: async.backend });
    const run = await begin(control);
    await control.locks.acquire('s', { holder: run });
    const next = control.locks.acquire('s');
    async.failNext('stop');
    async.failNext('unlock');
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    await flush();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ lock: 'failed' }]);
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }, { code: 'BACKEND_UNAVAILABLE' }]);
    await clock.advance(2_000);
    (await next).release();
    await flush();
  });
});

test('a section whose release fails reports its lock as failed, and the next waiter is served later', async () => {
  const async = new AsyncBackend();
  const { control, clock, errors } = tracked({ backend: async.backend });
  const run = await begin(control);
  const write = gate();
  const written = run.commit(() => write.promise);
  await flush();
  const receipt = await control.abort({ runId: run.id });
  async.failNext('unlock');
  write.open();
  await written;
  run.complete();
  expect((await receipt.whenQuiet()).runs).toMatchObject([{ lock: 'failed' }]);
  expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
  const next = await begin(control);
  const served = next.commit(({ token }) => token);
  await clock.advance(2_000);
  expect(await served).toBeGreaterThan(0);
  next.complete();
  await flush();
});

test('an abort while the lock of a commit is being acquired calls no section, and frees the lock', async () => {
  const async = new AsyncBackend();
  const { control } = tracked({ backend: async.backend });
  const run = await begin(control);
  async.hold('lock', 'after');
  const refused = expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ABORTED' });
  const aborted = control.abort({ runId: run.id });
  async.letGo('lock');
  await refused;
  await aborted;
  run.complete();
  await flush();
  expect(await control.locks.holder('s')).toBeUndefined();
});

test("a successor's run starts in the tick of the takeover, whatever the lock of the old one does", () => {
  const { control } = tracked();
  const write = gate();
  const started: string[] = [];
  void control.run({ sessionKey: 's' }, async (run) => {
    const written = run.commit(() => write.promise);
    await untilCut(run);
    await written;
  });
  void control.run({ sessionKey: 's' }, async () => started.push('next'));
  expect(started).toEqual(['next']);
  write.open();
});
