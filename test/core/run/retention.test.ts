import type { RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { storedRun } from '../../support/records.js';
import { BOUND_MS, slow } from '../../support/slow.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

async function end(control: RunControl, runId: string): Promise<void> {
  await control.run({ sessionKey: 's', runId }, () => 1);
}

function known(control: RunControl, runIds: readonly string[]): readonly string[] {
  return runIds.filter((runId) => control.runs.get(runId) !== undefined);
}

describe('in time', () => {
  test('a run stays known for 5 minutes from its end, by the monotonic clock (A73)', async () => {
    const { control, clock } = tracked();
    await end(control, 'r');
    clock.jumpWall(10_000_000);
    await clock.advance(299_999);
    expect(control.runs.get('r')?.status).toBe('completed');
    clock.jumpWall(-20_000_000);
    await clock.advance(1);
    expect(control.runs.get('r')).toBeUndefined();
    expect(await control.wait('r')).toEqual({ status: 'unknown' });
    expect(await control.abort({ runId: 'r' })).toMatchObject({ result: 'nothing-running' });
    expect(clock.pending).toBe(0);
    expect(control.runs.sizes).toEqual({ entries: 0, lanes: 0, locks: 0, stops: 0, timers: 0 });
  });

  test('each from its own end', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 100 } });
    await end(control, 'a');
    await clock.advance(60);
    await end(control, 'b');
    await clock.advance(40);
    expect(known(control, ['a', 'b'])).toEqual(['b']);
    await clock.advance(60);
    expect(known(control, ['a', 'b'])).toEqual([]);
  });

  test('an aborted run counts from its quiet: until then it is known (A34)', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 100 } });
    const stuck = gate();
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, () => stuck.promise);
    await control.abort({ runId: 'r' });
    await clock.advance(1_000);
    expect(control.runs.get('r')?.status).toBe('stopping');
    stuck.open();
    await outcome;
    await clock.advance(99);
    expect(control.runs.get('r')?.status).toBe('aborted');
    await clock.advance(1);
    expect(control.runs.get('r')).toBeUndefined();
  });

  test('for ever with Infinity, until the control is drained', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: Number.POSITIVE_INFINITY } });
    await end(control, 'r');
    await clock.advance(100_000_000_000);
    expect(control.runs.get('r')?.status).toBe('completed');
    expect(clock.pending).toBe(0);
  });

  test('a set of ended runs costs one timer', async () => {
    const { control, clock } = tracked();
    for (let i = 0; i < 50; i++) await end(control, `r${i}`);
    expect(clock.pending).toBe(1);
    expect(clock.refed).toBe(0);
  });
});

describe('in number', () => {
  test('10 000 by default', async () => {
    const { control } = tracked();
    for (let i = 0; i <= 10_000; i++) (await begin(control, { runId: `r${i}` })).complete();
    expect(known(control, ['r0', 'r1', 'r10000'])).toEqual(['r1', 'r10000']);
  });

  test('the oldest end gives way', async () => {
    const { control } = tracked({ retention: { max: 2 } });
    for (const runId of ['a', 'b', 'c']) await end(control, runId);
    expect(known(control, ['a', 'b', 'c'])).toEqual(['b', 'c']);
  });

  test('runs that are queued, running or stopping are neither counted nor forgotten (I19)', async () => {
    const { control } = tracked({ retention: { max: 1 } });
    const stuck = gate();
    const stopping = control.run({ sessionKey: 't', runId: 'stopping' }, () => stuck.promise);
    await control.abort({ runId: 'stopping' });
    const running = control.run({ sessionKey: 't', runId: 'running' }, untilCut);
    await control.start({ sessionKey: 't', runId: 'queued', whenBusy: 'enqueue' }, untilCut);
    for (const runId of ['a', 'b', 'c']) await end(control, runId);
    expect(known(control, ['stopping', 'running', 'queued', 'a', 'b', 'c'])).toEqual([
      'stopping',
      'running',
      'queued',
      'c',
    ]);
    await control.abort('all');
    stuck.open();
    await Promise.all([stopping, running]);
  });

  for (const retention of [{ max: 0 }, { ttlMs: 0 }]) {
    test(`none with ${JSON.stringify(retention)}: the id is free at once`, async () => {
      const { control, clock } = tracked({ retention });
      await end(control, 'r');
      expect(control.runs.get('r')).toBeUndefined();
      expect(clock.pending).toBe(0);
      expect(await control.run({ sessionKey: 's', runId: 'r' }, () => 2)).toEqual({ status: 'completed', value: 2 });
    });
  }
});

test('a queued run that was dropped does not forget the run of this id on another node', async () => {
  const backend = memory();
  const here = tracked({ backend, retention: { ttlMs: 100 } });
  const there = tracked({ backend }, here.clock);
  const busy = here.control.run({ sessionKey: 's' }, untilCut);
  await here.control.start({ sessionKey: 's', runId: 'r', whenBusy: 'enqueue' }, untilCut);
  await here.control.abort('all');
  await busy;
  await there.control.run({ sessionKey: 's', runId: 'r' }, () => 1);
  await here.clock.advance(100);
  expect(await here.control.run({ sessionKey: 's', runId: 'r' }, () => 2)).toMatchObject({ status: 'duplicate' });
});

test('a retained run lets go of its signal, its caller’s signal, its value and what was attached', async () => {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('vitest.config.ts runs this project with --expose-gc');
  const { control } = tracked();
  const refs: Record<string, WeakRef<object>> = {};
  const keep = (name: string, value: object): void => {
    refs[name] = new WeakRef(value);
  };
  await (async () => {
    const upstream = new AbortController();
    keep('upstream', upstream.signal);
    const run = await begin(control, { runId: 'r', signal: upstream.signal });
    keep('signal', run.signal);
    const resource = { name: 'browser', stop: () => {} };
    keep('resource', resource);
    run.attach(resource);
    const value = { text: 'the answer' };
    keep('value', value);
    run.complete(value);
  })();
  for (let i = 0; i < 10 && Object.values(refs).some((ref) => ref.deref() !== undefined); i++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  expect(Object.keys(refs).filter((name) => refs[name]?.deref() !== undefined)).toEqual([]);
  expect(control.runs.get('r')?.status).toBe('completed');
});

test('a run that is forgotten before the backend has heard of its end is forgotten there, too', async () => {
  const { control, slow: backend, state, clock } = slow({ retention: { ttlMs: 100 } });
  backend.hold('end');
  const outcome = control.run({ sessionKey: 's', runId: 'r' }, () => 1);
  // Nobody answers: its own result stands after two bounds, and is kept for 100 ms.
  await clock.advance(2 * BOUND_MS);
  expect(await outcome).toEqual({ status: 'completed', value: 1 });
  await clock.advance(100);
  expect(control.runs.get('r')).toBeUndefined();
  expect(await storedRun(state)).toMatchObject({ status: 'running' });
  backend.release('end');
  await clock.advance(2_000);
  expect(await storedRun(state)).toBeUndefined();
});
