import type { LockTimeoutError, Receipt } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';
import { announce, expectOrder, type Write, write } from '../../support/writes.js';

describe('an epilogue that hangs', () => {
  test('is cut at epilogueMs from its grant: its signal fires, it is named, and the successor is served', async () => {
    const { control, clock } = tracked();
    const writes: Write[] = [];
    const old = await begin(control);
    const hang = gate();
    let signal: AbortSignal | undefined;
    old.epilogue((context) => {
      signal = context.signal;
      return hang.promise;
    });
    const grant = await control.locks.acquire('s');
    const receipt = await control.abort({ runId: old.id });
    old.complete();
    const next = await begin(control);
    const served = write(next, writes, 'next');
    await clock.advance(3_000);
    expect(signal).toBeUndefined();
    grant.release();
    await clock.advance(999);
    expect([signal?.aborted, writes.length]).toEqual([false, 0]);
    await clock.advance(1);
    await served;
    expect(signal?.aborted).toBe(true);
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([
      { state: 'leftovers', epilogue: 'timed-out', leftovers: ['epilogue'] },
    ]);
    hang.open();
    await flush();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'quiet', epilogue: 'timed-out' }]);
    next.complete();
  });

  test('starts no further step', async () => {
    const { control, clock } = tracked({ defaults: { epilogueMs: 10 } });
    const run = await begin(control);
    const hang = gate();
    run.epilogue(() => hang.promise);
    run.epilogue(() => expect.unreachable());
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    await clock.advance(10);
    hang.open();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'timed-out' }]);
  });

  test('is the holder that LOCK_TIMEOUT names', async () => {
    const { control } = tracked();
    const old = await begin(control);
    const hang = gate<number>();
    let token = 0;
    old.epilogue((context) => {
      token = context.token;
      return hang.promise;
    });
    const next = await begin(control);
    const error = await next.commit(() => {}, { timeoutMs: 0 }).catch((caught: LockTimeoutError) => caught);
    expect(error).toMatchObject({ code: 'LOCK_TIMEOUT', holder: { runId: old.id, token } });
    hang.open(0);
    old.complete();
    next.complete();
    await flush();
  });
});

test('an epilogue that runs out of time is told once, also if it ends because its signal fired', async () => {
  const { control, clock, errors } = tracked();
  const run = await begin(control);
  run.epilogue(
    ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  const receipt = await control.abort({ runId: run.id });
  run.complete();
  await clock.advance(1_000);
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true, runs: [{ epilogue: 'timed-out' }] });
  expect(errors).toMatchObject([{ code: 'NOT_SAVED' }]);
});

describe('an epilogue that fails', () => {
  const failure = new Error('disk full');
  const ways: readonly [string, () => unknown][] = [
    [
      'throws',
      () => {
        throw failure;
      },
    ],
    ['rejects', () => Promise.reject(failure)],
  ];

  test.each(ways)('%s: it is told and reported, and the next step still runs', async (_, fail) => {
    const { control, errors } = tracked();
    const run = await begin(control);
    const saved: string[] = [];
    run.epilogue(fail);
    run.epilogue(() => saved.push('second'));
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'failed', error: failure }]);
    expect(errors).toEqual([failure]);
    expect(saved).toEqual(['second']);
    expect(await control.locks.holder('s')).toBeUndefined();
  });
});

describe('an epilogue that never runs', () => {
  test('of a run that was queued is skipped', async () => {
    const { control } = tracked();
    const first = await begin(control);
    const queued = await control.runs.begin({ sessionKey: 's', whenBusy: 'enqueue' });
    if (queued.status !== 'queued') throw new Error(queued.status);
    queued.run.epilogue(() => expect.unreachable());
    const receipt = await control.abort({ runId: queued.run.id });
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'skipped' }]);
    first.complete();
  });

  test('cannot be announced after the cut, or after the end', async () => {
    const { control } = tracked();
    const [cut, ended] = [await begin(control), await begin(control, { sessionKey: 't' })];
    await control.abort({ runId: cut.id });
    expect(() => cut.epilogue(() => {})).toThrow(expect.objectContaining({ code: 'RUN_ABORTED' }));
    ended.complete();
    expect(() => ended.epilogue(() => {})).toThrow(expect.objectContaining({ code: 'RUN_ENDED' }));
    cut.complete();
  });

  test.each([
    [5, {}],
    [() => {}, { name: '' }],
    [() => {}, { title: 'x' }],
  ])('cannot be announced with wrong options (%#)', async (save, options) => {
    const { control } = tracked();
    const run = await begin(control);
    expect(() => run.epilogue(save as () => void, options as object)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
    run.complete();
  });
});

describe('an abort from inside', () => {
  test('the epilogue finds its run stopped, and deadlocks nothing', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const results: string[] = [];
    run.epilogue(async () => {
      results.push((await control.abort({ sessionKey: 's' })).result);
      results.push((await control.abort({ runId: run.id })).result);
    });
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }]);
    expect(results).toEqual(['already-stopping', 'already-stopping']);
  });

  test('the epilogue that stops its successor leaves both with their own', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const old = await begin(control);
    old.epilogue(async ({ token }) => {
      await flush();
      await control.abort({ sessionKey: 's' });
      writes.push({ by: 'old', token });
    });
    const next = await begin(control);
    announce(next, writes, 'next');
    await flush();
    await flush();
    expect(next.isCurrent()).toBe(false);
    expectOrder(writes, ['old', 'next']);
    old.complete();
    next.complete();
  });

  test('the epilogue that waits for its own quiet is cut at its bound', async () => {
    const { control, clock } = tracked();
    const run = await begin(control);
    const known = gate<Receipt>();
    run.epilogue(async () => (await known.promise).whenQuiet());
    const receipt = await control.abort({ runId: run.id });
    known.open(receipt);
    run.complete();
    await flush();
    await clock.advance(1_000);
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ epilogue: 'timed-out' }]);
    expect(await control.locks.holder('s')).toBeUndefined();
    await clock.advance(4_000);
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test('a section, with an epilogue announced, saves after the section', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const run = await begin(control);
    announce(run, writes);
    await run.commit(async ({ token }) => {
      await control.abort({ runId: run.id });
      writes.push({ by: 'section', token });
    });
    await flush();
    expectOrder(writes, ['section', 'epilogue']);
    run.complete();
  });
});

test('a second abort does not save twice', async () => {
  const { control } = tracked();
  const writes: Write[] = [];
  const run = await begin(control);
  announce(run, writes);
  await control.abort({ runId: run.id });
  await control.abort({ sessionKey: 's' });
  run.complete();
  await flush();
  expect(writes).toHaveLength(1);
});

test('its grant is told as one of its run, by events that show it', async () => {
  const { control } = tracked();
  const seen: unknown[] = [];
  const run = await begin(control);
  let token = 0;
  run.epilogue((context) => {
    token = context.token;
  });
  for (const event of ['lock:granted', 'lock:released'] as const) {
    control.on(event, (told) => {
      void control.locks.holder('s').then((holder) => seen.push([event, told, holder?.token]));
    });
  }
  await control.abort({ runId: run.id });
  run.complete();
  await flush();
  const told = { sessionKey: 's', token, runId: run.id };
  expect(seen).toEqual([
    ['lock:granted', told, token],
    ['lock:released', told, undefined],
  ]);
});
