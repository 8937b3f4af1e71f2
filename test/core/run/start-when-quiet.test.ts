import type { Backend, RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const quiet = { sessionKey: 's', startWhen: 'quiet' } as const;

/** Runs that are cut, and whose holders have not finished. */
async function stopping(control: RunControl, count = 1): Promise<Awaited<ReturnType<typeof begin>>[]> {
  const runs = [];
  for (let i = 0; i < count; i++) runs.push(await begin(control, { whenBusy: 'concurrent' }));
  await control.abort({ sessionKey: 's' });
  return runs;
}

test.each(['interrupt', 'enqueue', 'reject', 'concurrent'] as const)(
  '%s starts at once in a session that is quiet',
  async (whenBusy) => {
    const { control } = tracked();
    for (const run of await stopping(control)) run.complete();
    const run = await begin(control, { ...quiet, whenBusy });
    expect(run.isCurrent()).toBe(true);
    run.complete();
  },
);

test.each(['interrupt', 'enqueue', 'concurrent'] as const)('%s waits for every stopping run', async (whenBusy) => {
  const { control } = tracked();
  const [first, second] = await stopping(control, 2);
  const next = await queued(control, { ...quiet, whenBusy });
  expect(next.position).toBe(0);
  first?.complete();
  await flush();
  expect(next.run.status).toBe('queued');
  second?.complete();
  expect(await next.started).toMatchObject({ status: 'started' });
  next.run.complete();
});

test.each<[string, () => { backend?: Backend }]>([
  ['alone', () => ({})],
  ['on a backend', () => ({ backend: memory() })],
  ['on a backend that answers late', () => ({ backend: new FaultyBackend() })],
])('reject does not wait: a run that is stopping refuses it, and is named: %s (H15)', async (_, options) => {
  const { control } = tracked(options());
  const [old] = await stopping(control);
  const refused = await control.runs.begin({ ...quiet, whenBusy: 'reject' });
  expect(refused).toMatchObject({ status: 'rejected', cause: 'busy', runIds: [old?.id] });
  (await begin(control, { whenBusy: 'reject' })).complete(); // without `quiet` it does not matter
  old?.complete();
});

test('reject is refused by a run that is stopping on another node, too, and starts once that is quiet (H15)', async () => {
  const backend = memory();
  const { control, clock } = tracked({ backend });
  const there = tracked({ backend }, clock).control;
  const [old] = await stopping(control);
  const ask = () => there.runs.begin({ ...quiet, whenBusy: 'reject' });
  expect(await ask()).toMatchObject({ status: 'rejected', cause: 'busy', runIds: [old?.id] });
  expect(there.runs.session('s').queuedRunIds).toEqual([]);
  old?.complete();
  await flush();
  const next = await ask();
  expect(next.status).toBe('started');
  if (next.status === 'started') next.run.complete();
});

test.each<[string, () => { backend?: Backend }]>([
  ['alone', () => ({})],
  ['on a backend', () => ({ backend: memory() })],
  ['on a backend that answers late', () => ({ backend: new FaultyBackend() })],
])('interrupt cuts at once what it then waits for, and drops what is queued: %s', async (_, options) => {
  const { control } = tracked(options());
  const old = await begin(control);
  const dropped = await queued(control);
  const next = await queued(control, { ...quiet, whenBusy: 'interrupt' });
  expect(old).toMatchObject({ status: 'stopping', reason: 'superseded' });
  expect(await dropped.started).toMatchObject({ status: 'aborted', reason: 'superseded' });
  old.complete();
  await next.started;
  expect(next.run.isCurrent()).toBe(true);
  next.run.complete();
});

test('interrupt that finds nothing left to wait for is answered started', async () => {
  const { control } = tracked();
  const old = await begin(control);
  old.signal.addEventListener('abort', () => old.complete());
  (await begin(control, quiet)).complete();
});

test('concurrent waits for stopping runs, and not for running ones', async () => {
  const { control } = tracked();
  const running = await begin(control);
  const old = await begin(control, { whenBusy: 'concurrent' });
  await control.abort({ runId: old.id });
  const next = await queued(control, { ...quiet, whenBusy: 'concurrent' });
  old.complete();
  expect(await next.started).toMatchObject({ status: 'started' });
  expect(running.isCurrent()).toBe(true);
  next.run.complete();
  running.complete();
});

describe('while it waits', () => {
  test('it stands before the runs that enqueue, and they wait for it', async () => {
    const { control } = tracked();
    const [old] = await stopping(control);
    const next = await queued(control, { ...quiet, whenBusy: 'concurrent' });
    const behind = await queued(control);
    expect([next.position, behind.position]).toEqual([0, 1]);
    old?.complete();
    await next.started;
    await flush();
    expect(behind.run.status).toBe('queued');
    next.run.complete();
    await behind.started;
    behind.run.complete();
  });

  test('it overtakes the runs that were queued before it', async () => {
    const { control } = tracked();
    const old = await begin(control);
    const behind = await queued(control);
    await control.abort({ runId: old.id }, { queued: 'keep' });
    // The queued one starts at the stop: a stopping run does not make the session busy for it.
    const last = await queued(control);
    const next = await queued(control, { ...quiet, whenBusy: 'concurrent' });
    expect([next.position, control.runs.session('s').queuedRunIds]).toEqual([0, [next.run.id, last.run.id]]);
    old.complete();
    await next.started;
    behind.run.complete();
    next.run.complete();
    await last.started;
    last.run.complete();
  });

  test('it makes the session busy', async () => {
    const { control } = tracked();
    const [old] = await stopping(control);
    const next = await queued(control, { ...quiet, whenBusy: 'concurrent' });
    expect(control.runs.beginSync({ sessionKey: 's', whenBusy: 'reject' })).toMatchObject({
      status: 'rejected',
      runIds: [next.run.id],
    });
    expect(control.runs.session('s')).toMatchObject({ hasActiveRun: false, queuedRunIds: [next.run.id] });
    old?.complete();
    await next.started;
    next.run.complete();
  });

  test('it can be aborted, and is superseded by a newer one', async () => {
    const { control } = tracked();
    const [old] = await stopping(control);
    const first = await queued(control, { ...quiet, whenBusy: 'concurrent' });
    const second = await queued(control, { ...quiet, whenBusy: 'interrupt' });
    expect(await first.started).toMatchObject({ status: 'aborted', reason: 'superseded' });
    await control.abort({ runId: second.run.id });
    expect(await second.started).toMatchObject({ status: 'aborted', reason: 'user' });
    old?.complete();
  });

  test('it is dropped by queueTimeoutMs', async () => {
    const { control, clock } = tracked();
    const [old] = await stopping(control);
    const next = await queued(control, { ...quiet, queueTimeoutMs: 200 });
    await clock.advance(200);
    expect(await next.started).toMatchObject({ status: 'aborted', reason: 'timeout' });
    old?.complete();
  });
});

describe('the grace', () => {
  test.each(['interrupt', 'enqueue', 'concurrent'] as const)(
    '%s is rejected after it with the leftovers by name, and not earlier',
    async (whenBusy) => {
      const { control, clock } = tracked();
      const old = await begin(control);
      const attached = old.attach({ name: 'a process', stop: () => new Promise(() => {}) });
      await control.abort({ sessionKey: 's' });
      const next = await queued(control, { ...quiet, whenBusy, graceMs: 300 });
      await clock.advance(299);
      expect(next.run.status).toBe('queued');
      await clock.advance(1);
      expect(await next.started).toEqual({
        status: 'rejected',
        cause: 'not-quiet',
        runIds: [],
        leftovers: ['work', 'a process'],
      });
      expect(control.runs.get(next.run.id)).toBeUndefined();
      attached.release();
      old.complete();
    },
  );

  test('run and start answer with the rejection too', async () => {
    const { control, clock } = tracked();
    const [old] = await stopping(control);
    const options = { ...quiet, whenBusy: 'concurrent', graceMs: 300 } as const;
    const ran = control.run(options, () => 1);
    const began = await control.start(options, () => 1);
    await clock.advance(300);
    if (began.status !== 'queued') throw new Error(began.status);
    expect([await ran, await began.outcome]).toMatchObject([{ cause: 'not-quiet' }, { cause: 'not-quiet' }]);
    old?.complete();
  });

  test('of Infinity waits for ever', async () => {
    const { control, clock } = tracked();
    const [old] = await stopping(control);
    const next = await queued(control, { ...quiet, graceMs: Number.POSITIVE_INFINITY });
    await clock.advance(48 * 3_600_000);
    old?.complete();
    expect(await next.started).toMatchObject({ status: 'started' });
    next.run.complete();
  });

  test('of a run that enqueues runs while it is its turn, not while another runs', async () => {
    const { control, clock } = tracked();
    const [old] = await stopping(control);
    const next = await queued(control, { ...quiet, whenBusy: 'enqueue', graceMs: 300 });
    await clock.advance(100);
    const beside = await begin(control, { whenBusy: 'concurrent' });
    old?.complete();
    await clock.advance(1_000);
    expect(next.run.status).toBe('queued');
    beside.complete();
    expect(await next.started).toMatchObject({ status: 'started' });
    next.run.complete();
  });
});

test('a run that is cut by a listener of its own takeover does not stay in the queue', async () => {
  const { control } = tracked();
  const old = await begin(control);
  control.on('run:aborted', ({ run }) => {
    if (run.runId === old.id) void control.abort({ sessionKey: 's' });
  });
  expect(await control.runs.begin({ sessionKey: 's', startWhen: 'quiet' })).toMatchObject({ status: 'aborted' });
  expect(control.runs.sizes.lanes).toBe(0);
  expect(await control.run({ sessionKey: 's', whenBusy: 'enqueue' }, () => 1)).toMatchObject({ status: 'completed' });
  old.complete();
});

test('interrupt waits for what was attached to a queued run that it drops', async () => {
  const { control } = tracked();
  const parent = await begin(control);
  const dropped = await queued(control);
  const gone = gate();
  dropped.run.attach({ name: 'process', stop: () => {}, gone: gone.promise });
  let isCalled = false;
  const child = parent.child({ startWhen: 'quiet', whenBusy: 'interrupt' }, () => {
    isCalled = true;
  });
  expect(dropped.run).toMatchObject({ status: 'stopping', reason: 'superseded' });
  await flush();
  expect(isCalled).toBe(false);
  gone.open();
  expect(await child).toMatchObject({ status: 'completed' });
  expect(isCalled).toBe(true);
  parent.complete();
});

test('a clock that calls back while the grace of a waiting run is set lets it start, and does not end it later', async () => {
  const { control, clock } = tracked();
  const old = await begin(control);
  await control.abort({ runId: old.id });
  const set = clock.setTimeout.bind(clock);
  clock.setTimeout = (callback, ms) => {
    clock.setTimeout = set;
    old.complete();
    return set(callback, ms);
  };
  const begun = await control.runs.begin({ sessionKey: 's', startWhen: 'quiet', graceMs: 100 });
  await clock.advance(1_000);
  expect(begun).toMatchObject({ status: 'started', run: { status: 'running' } });
  if (begun.status === 'started') begun.run.complete();
});
