import { memory } from 'runfence';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';

test('an end that the backend did not take is sent again: the session is free for other nodes', async () => {
  const under = memory();
  const flaky = new FaultyBackend({ over: under });
  const { control, clock, errors } = tracked({ backend: flaky });
  const other = tracked({ backend: under }, clock);
  flaky.failNext('end');
  flaky.failNext('end');
  await control.run({ sessionKey: 's' }, () => 1);
  await flush();
  const busy = () => other.control.run({ sessionKey: 's', whenBusy: 'reject' }, () => 2);
  expect(await busy()).toMatchObject({ status: 'rejected', cause: 'busy' });
  await clock.advance(1_000);
  expect(await busy()).toMatchObject({ status: 'rejected', cause: 'busy' });
  await clock.advance(1_000);
  expect(await busy()).toMatchObject({ status: 'completed', value: 2 });
  expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
});

test('the end of a claim that came too late is sent again if its answer never comes', async () => {
  const under = memory();
  const flaky = new FaultyBackend({ over: under });
  const { control, clock } = tracked({ backend: flaky });
  const other = tracked({ backend: under }, clock);
  const end = flaky.end.bind(flaky);
  flaky.end = () => {
    flaky.end = end;
    return new Promise(() => {});
  };
  flaky.hold('claim');
  const refused = expect(control.runs.begin({ sessionKey: 's' })).rejects.toMatchObject({
    code: 'BACKEND_UNAVAILABLE',
  });
  await clock.advance(2_000);
  await refused;
  flaky.release('claim');
  await clock.advance(2_000);
  const next = other.control.run({ sessionKey: 's', whenBusy: 'reject' }, () => 2);
  expect(await next).toMatchObject({ status: 'completed' });
});

describe('a drain', () => {
  /** A control with an end that the backend has refused, and another one beside it. */
  async function owing(fault: 'refused' | 'silent') {
    const under = memory();
    const flaky = new FaultyBackend({ over: under });
    const first = tracked({ backend: flaky });
    const other = tracked({ backend: under }, first.clock);
    if (fault === 'silent') flaky.hold('end');
    else flaky.failNext('end');
    await first.control.run({ sessionKey: 's', runId: 'r' }, () => 1);
    await flush();
    const next = () => other.control.run({ sessionKey: 's', whenBusy: 'reject' }, () => 2);
    return { ...first, flaky, next };
  }

  test('sends an end that was refused again before it closes the backend: the session is free for other nodes', async () => {
    const { control, next, flaky } = await owing('refused');
    expect(await control.drain({ graceMs: 0 })).toMatchObject({ quiet: true });
    expect(flaky.calls.slice(-2)).toEqual(['end', 'close']);
    expect(await next()).toMatchObject({ status: 'completed' });
  });

  test('keeps on for as long as the backend refuses, up to its bound', async () => {
    const { control, next, flaky, clock, errors } = await owing('refused');
    for (let call = 0; call < 5; call++) flaky.failNext('end');
    const drained = control.drain({ graceMs: 0 });
    await clock.advance(500);
    expect(await drained).toMatchObject({ quiet: true });
    expect(errors).toHaveLength(1);
    expect(await next()).toMatchObject({ status: 'completed' });
  });

  test.each(['refused', 'silent'] as const)(
    'does not wait for ever for an end that the backend never takes (%s), and names it',
    async (fault) => {
      const { control, flaky, clock, errors } = await owing(fault);
      for (let call = 0; call < 100; call++) flaky.failNext('end');
      const started = clock.monotonic();
      let tookMs: number | undefined;
      void control.drain({ graceMs: 0 }).then(() => {
        tookMs = clock.monotonic() - started;
      });
      for (let ms = 0; ms < 6_000; ms += 100) await clock.advance(100);
      // A call that is under way has its own bound first.
      expect(tookMs).toBe(fault === 'silent' ? 4_000 : 2_000);
      expect(errors.at(-1)).toMatchObject({
        code: 'BACKEND_UNAVAILABLE',
        message: expect.stringContaining('the end of run "r"'),
      });
      expect(control.runs.sizes).toEqual({ entries: 0, lanes: 0, locks: 0, stops: 0, timers: 0 });
      flaky.release('end');
      await flush();
    },
  );

  test('gives a lock that was refused back again: others get it', async () => {
    const under = memory();
    const flaky = new FaultyBackend({ over: under });
    const { control, clock } = tracked({ backend: flaky });
    const other = tracked({ backend: under }, clock);
    const grant = await control.locks.acquire('s');
    flaky.failNext('unlock');
    grant.release();
    await flush();
    await control.drain({ graceMs: 0 });
    (await other.control.locks.acquire('s', { timeoutMs: 0 })).release();
  });

  test('reads a claim back whose answer was lost, and ends its run', async () => {
    const under = memory();
    const flaky = new FaultyBackend({ over: under });
    const { control, clock } = tracked({ backend: flaky });
    const other = tracked({ backend: under }, clock);
    flaky.failNext('claim', 'after');
    flaky.failNext('read');
    await expect(control.runs.begin({ sessionKey: 's', whenBusy: 'concurrent' })).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
    });
    await control.drain({ graceMs: 0 });
    expect(await other.control.run({ sessionKey: 's', whenBusy: 'reject' }, () => 2)).toMatchObject({ value: 2 });
  });

  test('gives a grant back whose waiter it has refused while the backend was asked', async () => {
    const under = memory();
    const flaky = new FaultyBackend({ over: under });
    const { control } = tracked({ backend: flaky });
    flaky.hold('lock', 'after');
    const refused = expect(control.locks.acquire('s')).rejects.toMatchObject({ code: 'CLOSED' });
    await flush();
    const drained = control.drain({ graceMs: 0 });
    await refused;
    flaky.release('lock');
    await drained;
    expect(flaky.calls.at(-1)).toBe('close');
    expect(await under.holder('s')).toBeUndefined();
  });
});

test('a run whose end the backend did not take stays a duplicate for other nodes when the next claim finds it', async () => {
  const state = memory();
  const backend = new FaultyBackend({ over: state });
  const { control: here, clock } = tracked({ backend });
  const { control: there } = tracked({ backend: state }, clock);
  backend.failNext('end');
  await here.run({ sessionKey: 's', runId: 'r' }, () => 1);
  await flush();
  const next = await begin(here);
  next.complete();
  await clock.advance(2_000);
  const again = await there.runs.begin({ sessionKey: 's', runId: 'r' });
  expect(again).toMatchObject({ status: 'duplicate', run: { status: 'completed' } });
});
