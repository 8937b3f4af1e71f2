import type { Run } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

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

  test('that hangs is revoked after the write grace, named, and the successor is served (C27)', async () => {
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

  test('may abort its own run, and is not waited for by the abort (C22)', async () => {
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

  test('of a run that is aborted twice ends once (C19)', async () => {
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
    expect([first.result, second.result, released.length]).toEqual(['aborted', 'already-stopping', 1]);
    expect((await second.whenQuiet()).runs).toMatchObject([{ lock: 'released' }]);
  });
});
