import type { WaitOptions } from 'runfence';
import { memory } from 'runfence/backend';
import { FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { BOUND_MS, slow } from '../../support/slow.js';
import { listenersOn, tracked, upstream } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

const first = { sessionKey: 's', runId: 'r' };

describe('wait answers with the outcome', () => {
  test('completed, with the value while the first run lives and without it later', async () => {
    const { control } = tracked();
    const work = gate<number>();
    const outcome = control.run(first, () => work.promise);
    const waits = [control.wait('r'), control.wait('r', { kind: 'chat' })];
    work.open(42);
    for (const wait of waits) expect(await wait).toEqual({ status: 'completed', value: 42 });
    await outcome;
    expect(await control.wait('r')).toEqual({ status: 'completed' });
  });

  test('failed, with the error', async () => {
    const { control } = tracked();
    const error = new Error('model is down');
    const outcome = control.start(first, () => Promise.reject(error));
    expect(await control.wait('r')).toEqual({ status: 'failed', error });
    await outcome;
    expect(await control.wait('r')).toEqual({ status: 'failed', error });
  });

  test('aborted, at the cut', async () => {
    const { control } = tracked();
    const stuck = gate();
    const outcome = control.run(first, () => stuck.promise);
    const wait = control.wait('r');
    await control.abort({ runId: 'r' });
    expect(await wait).toMatchObject({ status: 'aborted', reason: 'user' });
    stuck.open();
    await outcome;
  });

  test('of a queued run, when that has ended', async () => {
    const { control } = tracked();
    const busy = control.run({ sessionKey: 's' }, untilCut);
    await control.start({ ...first, whenBusy: 'enqueue' }, () => 42);
    const wait = control.wait('r');
    await control.abort({ sessionKey: 's' }, { queued: 'keep' });
    expect(await wait).toEqual({ status: 'completed', value: 42 });
    await busy;
  });
});

describe('wait answers unknown', () => {
  test('for no run, for another kind, and after the retention', async () => {
    const { control, clock } = tracked();
    expect(await control.wait('r')).toEqual({ status: 'unknown' });
    const outcome = control.run(first, untilCut);
    expect(await control.wait('r', { kind: 'agent' })).toEqual({ status: 'unknown' });
    await control.abort('all');
    await outcome;
    expect(await control.wait('r', { kind: 'agent' })).toEqual({ status: 'unknown' });
    await clock.advance(300_000);
    expect(await control.wait('r')).toEqual({ status: 'unknown' });
  });
});

describe('timeoutMs', () => {
  for (const timeoutMs of [0, -5, Number.NaN]) {
    test(`${timeoutMs} does not wait`, async () => {
      const { control, clock } = tracked();
      const outcome = control.run(first, untilCut);
      expect(await control.wait('r', { timeoutMs })).toEqual({ status: 'timeout' });
      expect(clock.pending).toBe(0);
      await control.abort('all');
      await outcome;
      expect(await control.wait('r', { timeoutMs })).toMatchObject({ status: 'aborted' });
    });
  }

  test('ends the wait at its time, keeps the process alive until then, and leaves the run alone (E8, H7)', async () => {
    const { control, clock } = tracked();
    const outcome = control.run(first, untilCut);
    const answers: unknown[] = [];
    void control.wait('r', { timeoutMs: 100 }).then((answer) => answers.push(answer));
    expect(clock.refed).toBe(1);
    await clock.advance(99);
    expect(answers).toEqual([]);
    await clock.advance(1);
    expect(answers).toEqual([{ status: 'timeout' }]);
    expect(clock.pending).toBe(0);
    expect(control.runs.get('r')?.status).toBe('running');
    await control.abort('all');
    await outcome;
  });

  for (const options of [{}, { timeoutMs: Number.POSITIVE_INFINITY }] satisfies WaitOptions[]) {
    test(`${JSON.stringify(options)} waits for ever, without a timer`, async () => {
      const { control, clock } = tracked();
      const outcome = control.run(first, untilCut);
      const wait = control.wait('r', options);
      await clock.advance(1_000_000_000);
      expect(clock.delays).toEqual([]);
      await control.abort('all');
      expect(await wait).toMatchObject({ status: 'aborted' });
      await outcome;
    });
  }

  test('is taken back when the run ends', async () => {
    const { control, clock } = tracked({ retention: { max: 0 } });
    const outcome = control.run(first, untilCut);
    const wait = control.wait('r', { timeoutMs: 100 });
    await control.abort('all');
    await Promise.all([wait, outcome]);
    // The session stop of the abort is not recorded for 'all': nothing else may be left.
    expect(clock.pending).toBe(0);
  });
});

describe('signal', () => {
  test('stops waiting with its reason, and leaves the run alone', async () => {
    const { control } = tracked();
    const outcome = control.run(first, untilCut);
    const controller = upstream();
    const wait = control.wait('r', { signal: controller.signal });
    controller.abort('gone');
    await expect(wait).rejects.toBe('gone');
    expect(control.runs.get('r')?.status).toBe('running');
    expect(listenersOn(controller.signal)).toBe(0);
    await control.abort('all');
    await outcome;
  });

  test('that is aborted already rejects at once', async () => {
    const { control } = tracked();
    await expect(control.wait('r', { signal: AbortSignal.abort('gone') })).rejects.toBe('gone');
  });

  for (const how of ['the run ends', 'the time is over', 'the run is unknown'] as const) {
    test(`keeps no listener of ours once ${how}`, async () => {
      const { control, clock } = tracked();
      const { signal } = upstream();
      const outcome = control.run(first, untilCut);
      const wait = control.wait(how === 'the run is unknown' ? 'x' : 'r', { signal, timeoutMs: 100 });
      if (how === 'the run ends') await control.abort('all');
      await clock.advance(100);
      await wait;
      expect(listenersOn(signal)).toBe(0);
      await control.abort('all');
      await outcome;
    });
  }
});

describe('across nodes', () => {
  test('the outcome arrives, without its value', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const work = gate<number>();
    const outcome = there.control.run(first, () => work.promise);
    const wait = here.control.wait('r');
    expect(await here.control.wait('r', { kind: 'agent' })).toEqual({ status: 'unknown' });
    expect(await here.control.wait('r', { timeoutMs: 0 })).toEqual({ status: 'timeout' });
    work.open(42);
    expect(await wait).toEqual({ status: 'completed' });
    expect(await here.control.wait('r')).toEqual({ status: 'completed' });
    await outcome;
  });

  test('an abort of this node’s own is heard at the cut', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const stuck = gate();
    const outcome = there.control.run(first, () => stuck.promise);
    const wait = here.control.wait('r');
    await here.control.abort({ runId: 'r' });
    expect(await wait).toMatchObject({ status: 'aborted', reason: 'user' });
    stuck.open();
    await outcome;
  });

  test('an end between the look and the listening is not missed', async () => {
    const shared = memory();
    const slow = new FaultyBackend({ over: shared });
    const here = tracked({ backend: slow });
    const there = tracked({ backend: shared }, here.clock);
    const work = gate();
    const outcome = there.control.run(first, () => work.promise);
    slow.hold('readRun', 'after');
    const answers: unknown[] = [];
    void here.control.wait('r').then((answer) => answers.push(answer));
    work.open();
    await outcome;
    slow.release('readRun');
    await flush();
    expect(answers).toEqual([{ status: 'completed' }]);
  });

  test('a lost notice is made good when the backend says that there was a gap', async () => {
    const shared = memory();
    const deaf = new FaultyBackend({ over: shared });
    deaf.isDeaf = true;
    const here = tracked({ backend: deaf });
    const there = tracked({ backend: shared }, here.clock);
    const work = gate();
    const outcome = there.control.run(first, () => work.promise);
    const answers: unknown[] = [];
    void here.control.wait('r').then((answer) => answers.push(answer));
    await flush();
    work.open();
    await outcome;
    await flush();
    expect(answers).toEqual([]);
    deaf.heal();
    await flush();
    expect(answers).toEqual([{ status: 'completed' }]);
  });

  test('a lost notice is made good without a gap, also when the first look fails', async () => {
    const shared = memory();
    const deaf = new FaultyBackend({ over: shared });
    deaf.isDeaf = true;
    const here = tracked({ backend: deaf });
    const there = tracked({ backend: shared }, here.clock);
    const work = gate();
    const outcome = there.control.run(first, () => work.promise);
    const answers: unknown[] = [];
    deaf.hold('readRun');
    void here.control.wait('r').then((answer) => answers.push(answer));
    await flush();
    deaf.release('readRun');
    deaf.failNext('readRun');
    await flush();
    work.open();
    await outcome;
    await here.clock.advance(1_000);
    expect(answers).toEqual([{ status: 'completed' }]);
  });

  test('a wait that begins after the drain is told that nothing will be heard any more', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const outcome = there.control.run(first, untilCut);
    await here.control.drain();
    expect(await Promise.race([here.control.wait('r'), flush()])).toEqual({ status: 'unknown' });
    await there.control.abort('all');
    await outcome;
  });

  test('a drain ends the wait: nothing will be heard any more', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const outcome = there.control.run(first, untilCut);
    const wait = here.control.wait('r');
    await here.control.drain();
    expect(await wait).toEqual({ status: 'unknown' });
    await there.control.abort('all');
    await outcome;
  });

  test('a backend out of reach is an error of the caller', async () => {
    const slow = new FaultyBackend();
    const { control } = tracked({ backend: slow });
    slow.failNext('readRun');
    await expect(control.wait('r')).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  });
});

describe('a run of this node that only the backend knows', () => {
  test('is unknown once it is forgotten here, though its end is still on the way', async () => {
    const { control, slow: backend, clock } = slow({ retention: { ttlMs: 0 } });
    backend.hold('end');
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, () => 1);
    // One bound for the answer, and one more for asking again: then its own result stands.
    await clock.advance(2 * BOUND_MS);
    expect(await outcome).toEqual({ status: 'completed', value: 1 });
    expect(await control.wait('r')).toEqual({ status: 'unknown' });
    backend.release('end');
    await flush();
  });

  test('is waited for here if it has begun while the backend was asked', async () => {
    const { control, slow: backend } = slow();
    backend.hold('readRun');
    const waiting = control.wait('r');
    const run = await begin(control, { runId: 'r' });
    backend.release('readRun');
    await flush();
    run.complete(7);
    expect(await waiting).toEqual({ status: 'completed', value: 7 });
  });
});

test('a signal that is aborted while the backend is asked ends the wait, and leaves no listener', async () => {
  const shared = memory();
  const asked = new FaultyBackend({ over: shared });
  const here = tracked({ backend: asked });
  const there = tracked({ backend: shared }, here.clock);
  const run = await begin(there.control, { runId: 'r' });
  const caller = upstream();
  asked.hold('readRun');
  const reason = new Error('the client has gone');
  const wait = expect(here.control.wait('r', { signal: caller.signal })).rejects.toBe(reason);
  caller.abort(reason);
  asked.release('readRun');
  await wait;
  expect(listenersOn(caller.signal)).toBe(0);
  run.complete();
});

test('a run that ends while the wait reads the clock is not missed', async () => {
  const clock = new FakeClock();
  const { control } = tracked({}, clock);
  const run = await begin(control);
  const monotonic = clock.monotonic.bind(clock);
  clock.monotonic = () => {
    clock.monotonic = monotonic;
    run.complete();
    return monotonic();
  };
  expect(await control.wait(run.id)).toMatchObject({ status: 'completed' });
});
