import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { queued } from '../support/queued.js';
import { tracked } from '../support/tracked.js';
import { gate } from '../support/work.js';

const HOUR = 3_600_000;
const LONGEST_PLATFORM_DELAY = 2 ** 31 - 1;

describe('durations', () => {
  const names = ['timeoutMs', 'queueTimeoutMs', 'graceMs'];
  const wrong = [0, -1, Number.NaN, '5', null, {}];
  const cases = names.flatMap((name) => wrong.map((value) => [name, value] as const));

  test.each(cases)('of a run: %s %j is INVALID_OPTIONS', async (name, value) => {
    const { control } = tracked();
    const options = { sessionKey: 's', [name]: value };
    await expect(control.runs.begin(options as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(() => tracked({ defaults: { [name]: value } as never })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
  });

  test.each([0, -1, Number.NaN])('of a wait: %d does not wait', async (timeoutMs) => {
    const { control } = tracked();
    const run = await begin(control, { runId: 'r' });
    expect(await control.wait('r', { timeoutMs })).toEqual({ status: 'timeout' });
    const receipt = await control.abort({ runId: 'r' });
    expect(await receipt.whenQuiet({ timeoutMs })).toMatchObject({ quiet: false });
    run.complete();
  });

  test.each(['5', null])('of a wait: %j is INVALID_OPTIONS', async (timeoutMs) => {
    const { control } = tracked();
    await expect(control.wait('r', { timeoutMs: timeoutMs as never })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
    });
  });
});

describe('timeoutMs', () => {
  test.each([1, 0.5, 1_000, 2 ** 31, 48 * HOUR, 400 * 24 * HOUR])(
    'of %d aborts then, and not earlier (A69)',
    async (timeoutMs) => {
      const { control, clock } = tracked();
      const run = await begin(control, { timeoutMs });
      await clock.advance(Math.ceil(timeoutMs) - 1);
      expect(run.isCurrent()).toBe(true);
      await clock.advance(1);
      expect(run).toMatchObject({ status: 'stopping', reason: 'timeout' });
      expect(run.signal.reason).toMatchObject({ name: 'TimeoutError', reason: 'timeout' });
      expect(Math.max(...clock.delays)).toBeLessThanOrEqual(LONGEST_PLATFORM_DELAY);
      run.complete();
    },
  );

  test('of Infinity, and none, make no timer (A12)', async () => {
    const { control, clock } = tracked();
    const runs = [
      await begin(control, { timeoutMs: Number.POSITIVE_INFINITY }),
      await begin(control, { sessionKey: 't' }),
    ];
    expect(clock.pending).toBe(0);
    for (const run of runs) run.complete();
  });

  test('counts from the start, not from the begin (A10)', async () => {
    const { control, clock } = tracked();
    const first = await begin(control);
    const next = await queued(control, { timeoutMs: 100 });
    await clock.advance(1_000);
    first.complete();
    await next.started;
    await clock.advance(99);
    expect(next.run.isCurrent()).toBe(true);
    await clock.advance(1);
    expect(next.run.reason).toBe('timeout');
    next.run.complete();
  });

  test('is gone with the run (A71, A72)', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 0 } });
    const ended = await begin(control, { timeoutMs: 100 });
    ended.complete();
    const cut = await begin(control, { timeoutMs: 100 });
    await control.abort({ runId: cut.id });
    expect(clock.pending).toBe(0);
    cut.complete();
  });
});

test.each([HOUR, -HOUR])('a wall clock that jumps by %d moves no deadline', async (jump) => {
  const { control, clock } = tracked();
  const first = await begin(control, { timeoutMs: 1_000 });
  const next = await queued(control, { queueTimeoutMs: 2_000 });
  clock.jumpWall(jump);
  await clock.advance(999);
  expect(first.isCurrent()).toBe(true);
  await clock.advance(1);
  expect(first.reason).toBe('timeout');
  clock.jumpWall(-jump);
  expect(await next.started).toMatchObject({ status: 'started' });
  const last = await queued(control, { queueTimeoutMs: 2_000 });
  clock.jumpWall(jump);
  await clock.advance(1_999);
  expect(last.run.status).toBe('queued');
  await clock.advance(1);
  expect(await last.started).toMatchObject({ status: 'aborted', reason: 'timeout' });
  first.complete();
  next.run.complete();
});

test('startedAt is wall-clock time, elapsedMs is not', async () => {
  const { control, clock } = tracked();
  clock.jumpWall(HOUR);
  const run = await begin(control);
  expect(run.startedAt).toBe(clock.now());
  const receipt = await control.abort({ runId: run.id });
  clock.jumpWall(HOUR);
  await clock.advance(30);
  run.complete();
  expect(await receipt.whenQuiet()).toMatchObject({ runs: [{ elapsedMs: 30 }] });
});

describe('the platform’s timer', () => {
  test('is one for 1 000 runs with timeouts, and none when they have ended', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 0 } });
    const runs = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => begin(control, { sessionKey: `s${i}`, timeoutMs: 60_000 - i })),
    );
    expect([clock.pending, control.runs.sizes.timers]).toEqual([1, 1_000]);
    for (const run of runs) run.complete();
    expect(clock.pending).toBe(0);
  });

  test('keeps the process only while a caller waits', async () => {
    const { control, clock } = tracked();
    const run = await begin(control, { runId: 'r', timeoutMs: 60_000 });
    expect(clock.refed).toBe(0);
    const waiting = control.wait('r', { timeoutMs: 10 });
    expect(clock.refed).toBe(1);
    await clock.advance(10);
    await waiting;
    expect(clock.refed).toBe(0);
    const quiet = (await control.abort({ runId: 'r' })).whenQuiet();
    expect(clock.refed).toBe(1);
    run.complete();
    await quiet;
    expect(clock.refed).toBe(0);
  });
});

describe('abandoned', () => {
  test('are runs that a timeout aborted and that are not quiet within their grace, until they are', async () => {
    const { control, clock } = tracked();
    const stuck = gate();
    const outcome = control.run({ sessionKey: 's', runId: 'r', timeoutMs: 100, graceMs: 50 }, () => stuck.promise);
    await clock.advance(149);
    expect(control.runs.abandoned()).toEqual([]);
    await clock.advance(1);
    expect(control.runs.abandoned()).toMatchObject([{ runId: 'r', status: 'stopping', reason: 'timeout' }]);
    expect(await control.abort({ runId: 'r' })).toMatchObject({ result: 'already-stopping' });
    stuck.open();
    await outcome;
    await flush();
    expect(control.runs.abandoned()).toEqual([]);
  });

  test.each(['user', 'superseded'] as const)('are not runs that were aborted as %s', async (reason) => {
    const { control, clock } = tracked();
    const run = await begin(control, { graceMs: 50 });
    await control.abort({ runId: run.id }, { reason });
    await clock.advance(HOUR);
    expect(control.runs.abandoned()).toEqual([]);
    expect(control.runs.session('s').stoppingRunIds).toEqual([run.id]);
    run.complete();
  });
});
