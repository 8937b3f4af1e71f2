import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { holderIn, storedRun } from '../../support/records.js';
import { BOUND_MS, unavailable } from '../../support/slow.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';

/** A record of which something was not answered is read again after so long. */
const LOOK_MS = 1_000;

/** A control on a backend that fails on demand, and another one beside it. */
function flakyNode(options: ConstructorParameters<typeof FaultyBackend>[0] = {}) {
  const state = memory();
  const flaky = new FaultyBackend({ ...options, over: state });
  const here = tracked({ backend: flaky });
  const there = tracked({ backend: state }, here.clock).control;
  const busy = () => there.run({ sessionKey: 's', whenBusy: 'reject' }, () => 2);
  return { ...here, state, flaky, there, busy };
}

test('an end that the backend did not take is sent again: the session is free for other nodes (A35)', async () => {
  const { control, flaky, busy, clock, errors } = flakyNode();
  flaky.failNext('end');
  flaky.failNext('end');
  const outcome = control.run({ sessionKey: 's' }, () => 1);
  await flush();
  expect(await busy()).toMatchObject({ status: 'rejected', cause: 'busy' });
  await clock.advance(LOOK_MS);
  expect(await busy()).toMatchObject({ status: 'rejected', cause: 'busy' });
  await clock.advance(LOOK_MS);
  expect(await busy()).toMatchObject({ status: 'completed', value: 2 });
  expect(await outcome).toEqual({ status: 'completed', value: 1 });
  expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
});

describe('the outcome of a run whose end has no answer', () => {
  test('is the answer to the end that is sent again', async () => {
    const { control, flaky, clock } = flakyNode();
    flaky.failNext('end');
    const outcome = watching(control.run({ sessionKey: 's' }, () => 1));
    await clock.advance(LOOK_MS - 1);
    expect(outcome.state).toBe('pending');
    await clock.advance(1);
    expect(outcome.result).toEqual({ status: 'completed', value: 1 });
  });

  test('is its own result, if it was taken and only its answer was lost', async () => {
    const { control, flaky, state, clock } = flakyNode();
    flaky.failNext('end', 'after');
    const outcome = watching(control.run({ sessionKey: 's', runId: 'r' }, () => 1));
    await flush();
    expect(await storedRun(state)).toMatchObject({ status: 'completed' });
    await clock.advance(LOOK_MS);
    expect(outcome.result).toEqual({ status: 'completed', value: 1 });
  });

  test('is its own result after one more bound, if nothing answers', async () => {
    const { control, flaky, clock } = flakyNode();
    const run = await begin(control, { runId: 'r' });
    const told: unknown[] = [];
    control.on('run:ended', (event) => told.push(event.run.status));
    flaky.hold('end');
    flaky.hold('readSession');
    run.complete('done');
    expect([run.isCurrent(), run.status]).toEqual([false, 'stopping']);
    const outcome = watching(control.wait('r'));
    await clock.advance(2 * BOUND_MS - 1);
    expect([outcome.state, told]).toEqual(['pending', []]);
    await clock.advance(1);
    expect([outcome.result, told]).toEqual([{ status: 'completed', value: 'done' }, ['completed']]);
    flaky.release('end');
    flaky.release('readSession');
    await flush();
  });

  test('is waited for by name: `backend` is what is left of the run (C39)', async () => {
    const { control, flaky, clock } = flakyNode();
    const run = await begin(control, { runId: 'r', graceMs: 100 });
    flaky.hold('end');
    flaky.hold('readSession');
    run.complete('done');
    const drained = watching(control.drain({ graceMs: 50 }));
    await clock.advance(1_000);
    flaky.release('end');
    flaky.release('readSession');
    await clock.advance(10_000);
    expect(drained.result).toMatchObject({ quiet: false, runs: [{ runId: 'r', leftovers: ['backend'] }] });
  });

  test('is the stop of another node that came first, which the record tells when it is read', async () => {
    const { control, flaky, there, clock } = flakyNode();
    const run = await begin(control, { runId: 'r' });
    flaky.isDeaf = true;
    await there.abort({ runId: 'r' }, { reason: 'policy' });
    flaky.failNext('end');
    expect(run.complete(1)).toBe(true);
    const outcome = watching(control.wait('r'));
    await clock.advance(LOOK_MS);
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'policy' });
    expect(run.signal.reason).toMatchObject({ reason: 'policy' });
  });

  test('with a lease is asked for until the lease ends, and is lost then', async () => {
    const { control, flaky, clock } = flakyNode({ hasLease: true });
    let leaseMs = 60_000;
    const run = await begin(control, { runId: 'r' });
    // So long from now at every look: the lease is renewed as long as it is not taken away.
    Object.assign(flaky, { aliveUntil: () => performance.now() + leaseMs });
    flaky.isDown = true;
    run.complete(1);
    const outcome = watching(control.wait('r'));
    await clock.advance(10 * BOUND_MS);
    expect(outcome.state).toBe('pending');
    leaseMs = -1;
    await clock.advance(60_000);
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost' });
    flaky.isDown = false;
    await clock.advance(LOOK_MS);
  });
});

test('the end of a claim that came too late is sent again if its answer never comes', async () => {
  const { control, flaky, busy, clock } = flakyNode();
  const end = flaky.end.bind(flaky);
  flaky.end = () => {
    flaky.end = end;
    return new Promise(() => {});
  };
  flaky.hold('claim');
  const refused = unavailable(control.runs.begin({ sessionKey: 's' }));
  await clock.advance(BOUND_MS);
  await refused;
  flaky.release('claim');
  await clock.advance(BOUND_MS + LOOK_MS);
  expect(await busy()).toMatchObject({ status: 'completed' });
});

test('a run whose end was not taken is over for the next one here: it does not take it over, nor wait for it', async () => {
  const { control, flaky, there, clock } = flakyNode();
  flaky.failNext('end');
  const outcome = control.run({ sessionKey: 's', runId: 'r' }, () => 1);
  await flush();
  const next = await begin(control);
  expect(await outcome).toEqual({ status: 'completed', value: 1 });
  next.complete();
  await clock.advance(2 * LOOK_MS);
  const again = await there.runs.begin({ sessionKey: 's', runId: 'r' });
  expect(again).toMatchObject({ status: 'duplicate', run: { status: 'completed' } });
});

describe('a drain', () => {
  /** A control with an end that the backend has refused, and another one beside it. */
  async function owing(fault: 'refused' | 'silent') {
    const node = flakyNode();
    if (fault === 'silent') node.flaky.hold('end');
    else node.flaky.failNext('end');
    const outcome = watching(node.control.run({ sessionKey: 's', runId: 'r' }, () => 1));
    await flush();
    return { ...node, outcome };
  }

  test('sends an end that was refused again before it closes the backend: the session is free for other nodes', async () => {
    const { control, busy, flaky, clock, outcome } = await owing('refused');
    const drained = control.drain({ graceMs: 0 });
    await clock.advance(LOOK_MS);
    expect(await drained).toMatchObject({ quiet: true });
    expect(outcome.result).toEqual({ status: 'completed', value: 1 });
    expect(flaky.calls.slice(-2)).toEqual(['end', 'close']);
    expect(await busy()).toMatchObject({ status: 'completed' });
  });

  test('keeps on for as long as the backend refuses, up to its bound, and tells of it once', async () => {
    const { control, busy, flaky, clock, errors } = await owing('refused');
    for (let call = 0; call < 5; call++) flaky.failNext('end');
    const drained = control.drain({ graceMs: 0 });
    await clock.advance(BOUND_MS + 500);
    expect(await drained).toMatchObject({ quiet: true });
    expect(errors).toHaveLength(1);
    expect(await busy()).toMatchObject({ status: 'completed' });
  });

  test.each(['refused', 'silent'] as const)(
    'does not wait for ever for an end that the backend never takes (%s), and names it',
    async (fault) => {
      const { control, flaky, clock, errors, outcome } = await owing(fault);
      for (let call = 0; call < 100; call++) flaky.failNext('end');
      const started = clock.monotonic();
      let tookMs: number | undefined;
      void control.drain({ graceMs: 0 }).then(() => {
        tookMs = clock.monotonic() - started;
      });
      for (let ms = 0; ms < 10_000; ms += 100) await clock.advance(100);
      // Its outcome comes with its bound and one more; a call that is under way has its own bound before that.
      expect(tookMs).toBe(fault === 'silent' ? 6_000 : 4_000);
      expect(outcome.result).toEqual({ status: 'completed', value: 1 });
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
    const { control, flaky, there } = flakyNode();
    const grant = await control.locks.acquire('s');
    flaky.failNext('unlock');
    grant.release();
    await flush();
    await control.drain({ graceMs: 0 });
    (await there.locks.acquire('s', { timeoutMs: 0 })).release();
  });

  test('looks for a claim whose answer was lost, and ends its run', async () => {
    const { control, flaky, busy } = flakyNode();
    flaky.failNext('claim', 'after');
    await unavailable(control.runs.begin({ sessionKey: 's', whenBusy: 'concurrent' }));
    await control.drain({ graceMs: 0 });
    expect(await busy()).toMatchObject({ value: 2 });
  });

  test('gives a grant back whose waiter it has refused while the backend was asked', async () => {
    const { control, flaky, state, clock } = flakyNode();
    flaky.hold('lock', 'after');
    const refused = expect(control.locks.acquire('s')).rejects.toMatchObject({ code: 'CLOSED' });
    await flush();
    const drained = control.drain({ graceMs: 0 });
    await refused;
    flaky.release('lock');
    await clock.advance(100);
    await drained;
    expect(flaky.calls.at(-1)).toBe('close');
    expect(await holderIn(state)).toBeUndefined();
  });
});
