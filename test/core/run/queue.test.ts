import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

test('queued runs start one after the other, in the order of their begins (I11)', async () => {
  const { control } = tracked();
  const first = await begin(control);
  const order: number[] = [];
  const running: number[] = [];
  const outcomes = Array.from({ length: 100 }, (_, i) =>
    control.run({ sessionKey: 's', whenBusy: 'enqueue' }, async () => {
      order.push(i);
      running.push(control.runs.session('s').activeRunIds.length);
      await flush();
    }),
  );
  first.complete();
  await Promise.all(outcomes);
  expect(order).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(new Set(running)).toEqual(new Set([1]));
});

test('a queued run is answered at once with its position, and starts with a generation (D1)', async () => {
  const { control } = tracked();
  const first = await begin(control);
  const waiting = [await queued(control), await queued(control)];
  expect(waiting.map(({ position }) => position)).toEqual([0, 1]);
  expect(waiting.map(({ run }) => [run.status, run.generation, run.isCurrent()])).toEqual([
    ['queued', 0, false],
    ['queued', 0, false],
  ]);
  first.complete();
  expect(await waiting[0]?.started).toMatchObject({ status: 'started', run: waiting[0]?.run });
  expect(waiting[0]?.run.generation).toBeGreaterThan(first.generation);
  expect(waiting[1]?.run.status).toBe('queued');
  waiting[0]?.run.complete();
  await waiting[1]?.started;
  waiting[1]?.run.complete();
});

test.each(['complete', 'fail', 'abort'] as const)('the next starts when the one before is over by %s', async (how) => {
  const { control } = tracked();
  const first = await begin(control);
  const next = await queued(control);
  if (how === 'abort') await control.abort({ runId: first.id });
  else first[how](undefined);
  expect(await next.started).toMatchObject({ status: 'started' });
  next.run.complete();
  first.complete();
});

describe('leaving the queue', () => {
  test('in the middle moves nobody else out of order', async () => {
    const { control } = tracked();
    const first = await begin(control);
    const waiting = await Promise.all(['a', 'b', 'c'].map((runId) => queued(control, { runId })));
    expect(await control.abort({ runId: 'b' })).toMatchObject({ result: 'aborted', queuedRunIds: ['b'] });
    expect(await waiting[1]?.started).toEqual({ status: 'aborted', runId: 'b', reason: 'user' });
    expect(control.runs.session('s').queuedRunIds).toEqual(['a', 'c']);
    const order: string[] = [];
    for (const { run, started } of waiting) {
      void started.then(({ status }) => {
        if (status === 'started') order.push(run.id);
        run.complete();
      });
    }
    first.complete();
    await flush();
    expect(order).toEqual(['a', 'c']);
  });

  test('by queueTimeoutMs is an abort with the reason timeout, and not earlier', async () => {
    const { control, clock } = tracked();
    const first = await begin(control);
    const next = await queued(control, { queueTimeoutMs: 500 });
    await clock.advance(499);
    expect(next.run.status).toBe('queued');
    await clock.advance(1);
    expect(await next.started).toMatchObject({ status: 'aborted', reason: 'timeout' });
    expect(control.runs.abandoned()).toEqual([]);
    first.complete();
  });

  test('by a dispose of the handle is a failure that says so', async () => {
    const { control } = tracked();
    const first = await begin(control);
    const next = await queued(control);
    await next.run[Symbol.asyncDispose]();
    expect(await next.started).toMatchObject({ status: 'failed', error: { code: 'RUN_DISPOSED' } });
    expect(control.runs.session('s').queuedRunIds).toEqual([]);
    first.complete();
  });

  test('by an abort never calls the work', async () => {
    const { control } = tracked();
    const first = await begin(control);
    let calls = 0;
    const outcome = control.run({ sessionKey: 's', whenBusy: 'enqueue', runId: 'r' }, () => {
      calls += 1;
    });
    await control.abort({ runId: 'r' });
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    first.complete();
    await flush();
    expect(calls).toBe(0);
  });

  test('by an abort between its start and its work never calls the work (I16)', async () => {
    const { control } = tracked();
    const first = await begin(control);
    let calls = 0;
    const answer = await control.start({ sessionKey: 's', whenBusy: 'enqueue' }, () => {
      calls += 1;
    });
    first.complete();
    await control.abort({ sessionKey: 's' });
    if (answer.status !== 'queued') throw new Error(answer.status);
    expect(await answer.outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(calls).toBe(0);
  });
});

test('a queue timeout does not reach a run that has started', async () => {
  const { control, clock } = tracked();
  const first = await begin(control);
  const next = await queued(control, { queueTimeoutMs: 500 });
  first.complete();
  await next.started;
  await clock.advance(1_000);
  expect(next.run.isCurrent()).toBe(true);
  next.run.complete();
});

test('a queue timeout does not reach a run that the end of the old run started in the call', async () => {
  const { control, clock } = tracked();
  const old = await begin(control);
  old.signal.addEventListener('abort', () => old.complete());
  const next = await begin(control, { startWhen: 'quiet', queueTimeoutMs: 500 });
  await clock.advance(1_000);
  expect(next.isCurrent()).toBe(true);
  next.complete();
});

test('a session’s abort takes the queued runs first; queued: keep leaves them, and they get their turn (A65)', async () => {
  const { control } = tracked();
  const runs = [await begin(control, { runId: 'a' })];
  const kept = await queued(control, { runId: 'b' });
  const keeping = await control.abort({ sessionKey: 's' }, { queued: 'keep' });
  expect(keeping).toMatchObject({ runIds: ['a'], queuedRunIds: [] });
  expect(await kept.started).toMatchObject({ status: 'started' });
  const dropped = await queued(control, { runId: 'c' });
  const order: string[] = [];
  control.on('run:aborted', ({ run }) => order.push(run.runId));
  expect(await control.abort({ sessionKey: 's' })).toMatchObject({ runIds: ['c', 'b', 'a'], queuedRunIds: ['c'] });
  expect(order).toEqual(['c', 'b']);
  expect(await dropped.started).toMatchObject({ status: 'aborted' });
  for (const run of [...runs, kept.run]) run.complete();
});

test('queue:changed comes with every join, start and leave, and each time shows the queue as it is', async () => {
  const { control } = tracked();
  const seen: (readonly string[])[] = [];
  control.on('queue:changed', ({ queuedRunIds }) => {
    seen.push(queuedRunIds);
    expect(control.runs.session('s').queuedRunIds).toEqual(queuedRunIds);
  });
  const first = await begin(control);
  const waiting = await Promise.all(['a', 'b'].map((runId) => queued(control, { runId })));
  await control.abort({ runId: 'b' });
  first.complete();
  await waiting[0]?.started;
  expect(seen).toEqual([['a'], ['a', 'b'], ['a'], []]);
  waiting[0]?.run.complete();
});

test('the same id again while it is queued is a duplicate of the queued run', async () => {
  const { control } = tracked();
  const first = await begin(control);
  const next = await queued(control, { runId: 'r' });
  const again = await control.runs.begin({ sessionKey: 's', runId: 'r', whenBusy: 'enqueue' });
  expect(again).toMatchObject({ status: 'duplicate', run: { runId: 'r', status: 'queued' } });
  first.complete();
  await next.started;
  next.run.complete();
  if (again.status === 'duplicate') expect(await again.outcome).toEqual({ status: 'completed' });
});

test('a queued run cannot be completed before it has started', async () => {
  const { control } = tracked();
  const first = await begin(control);
  const next = await queued(control);
  expect(next.run.complete()).toBe(false);
  expect(next.run.status).toBe('queued');
  expect(next.run.fail(new Error('not needed'))).toBe(true);
  first.complete();
});

describe('a child does not wait behind runs that wait for its ancestors', () => {
  test('parent, child and a third run that waits behind the parent', async () => {
    const { control } = tracked();
    const order: string[] = [];
    const isQueued = gate();
    const parent = control.run({ sessionKey: 's' }, async (run) => {
      await isQueued.promise;
      await run.child({ whenBusy: 'enqueue' }, () => order.push('child'));
      order.push('parent');
    });
    const third = control.run({ sessionKey: 's', whenBusy: 'enqueue' }, () => order.push('third'));
    isQueued.open();
    await Promise.all([parent, third]);
    expect(order).toEqual(['child', 'parent', 'third']);
  });

  test('a grandchild, with another run of the session between', async () => {
    const { control } = tracked();
    const order: string[] = [];
    const others: Promise<unknown>[] = [];
    await control.run({ sessionKey: 's' }, async (run) => {
      others.push(control.run({ sessionKey: 's', whenBusy: 'enqueue' }, () => order.push('third')));
      await run.child({ sessionKey: 'elsewhere' }, (child) =>
        child.child({ sessionKey: 's', whenBusy: 'enqueue' }, () => order.push('grandchild')),
      );
    });
    await Promise.all(others);
    expect(order).toEqual(['grandchild', 'third']);
  });

  test('but behind its siblings, in order', async () => {
    const { control } = tracked();
    const order: number[] = [];
    await control.run({ sessionKey: 's' }, async (run) => {
      const children = [1, 2, 3].map((n) =>
        run.child({ whenBusy: 'enqueue' }, async () => {
          await flush();
          order.push(n);
        }),
      );
      await Promise.all(children);
    });
    expect(order).toEqual([1, 2, 3]);
  });
});

test('a clock that calls back while the time in the queue is set lets the run start, and does not end it later', async () => {
  const { control, clock } = tracked();
  const first = await begin(control);
  const set = clock.setTimeout.bind(clock);
  clock.setTimeout = (callback, ms) => {
    clock.setTimeout = set;
    first.complete();
    return set(callback, ms);
  };
  const begun = await control.runs.begin({ sessionKey: 's', whenBusy: 'enqueue', queueTimeoutMs: 100 });
  await clock.advance(1_000);
  expect(begun).toMatchObject({ status: 'started', run: { status: 'running' } });
  if (begun.status === 'started') begun.run.complete();
});
