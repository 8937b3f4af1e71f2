import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createRunControl } from 'runfence';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { queued } from '../support/queued.js';
import { listenersOn, tracked, upstream } from '../support/tracked.js';
import { untilCut } from '../support/work.js';

const MEGABYTE = 2 ** 20;
const NOTHING = { entries: 0, lanes: 0, locks: 0, stops: 0, timers: 0 };

function heapUsed(): number {
  global.gc?.();
  return process.memoryUsage().heapUsed;
}

/** How much the heap has grown after `count` calls, once what the first ones made for good is there. */
function growthOf(count: number, call: (i: number) => void): number {
  for (let i = 0; i < 1_000; i++) call(i);
  const before = heapUsed();
  for (let i = 0; i < count; i++) call(i);
  return heapUsed() - before;
}

test('100 000 runs under one signal leave no listener, no warning and no heap', async () => {
  const warnings: string[] = [];
  const hear = (warning: Error): void => {
    warnings.push(warning.name);
  };
  process.on('warning', hear);
  const { control } = tracked({ retention: { ttlMs: 0 } });
  const { signal } = upstream();
  const growth = growthOf(100_000, (i) => {
    const begun = control.runs.beginSync({ sessionKey: `s${i % 100}`, signal, timeoutMs: 60_000 });
    if (begun.status === 'started') begun.run.complete();
  });
  expect(growth).toBeLessThan(5 * MEGABYTE);
  expect([listenersOn(signal), control.runs.sizes]).toEqual([0, NOTHING]);
  await flush();
  process.off('warning', hear);
  expect(warnings).toEqual([]);
});

test('20 000 runs that were taken over, aborted by session, or refused leave no heap', async () => {
  const { control, clock } = tracked({ retention: { ttlMs: 0 } });
  const growth = growthOf(20_000, (i) => {
    const sessionKey = `s${i % 10}`;
    const runs = [1, 2].map(() => control.runs.beginSync({ sessionKey }));
    control.runs.beginSync({ sessionKey, whenBusy: 'reject' });
    for (const begun of runs) {
      if (begun.status !== 'started') throw new Error(begun.status);
      begun.run.complete();
    }
  });
  expect(growth).toBeLessThan(5 * MEGABYTE);
  expect([control.runs.sizes, clock.pending]).toEqual([NOTHING, 0]);
});

describe('when everything has ended and retention has passed, all sizes are 0', () => {
  test.each([
    ['synchronous', undefined],
    ['asynchronous', () => new FaultyBackend()],
  ] as const)('on a backend that is %s', async (_, backend) => {
    const { control, clock } = tracked({ retention: { ttlMs: 1_000 }, ...(backend && { backend: backend() }) });
    const { signal } = upstream();
    const parent = await begin(control, { signal, timeoutMs: 60_000 });
    const children = [parent.child({}, untilCut), parent.child({ whenBusy: 'enqueue', queueTimeoutMs: 500 }, untilCut)];
    parent.epilogue(() => {});
    await parent.commit(() => 'written');
    const waiting = await queued(control, { signal });
    const quiet = await queued(control, { startWhen: 'quiet' });
    const next = await begin(control, { runId: 'mine', timeoutMs: 60_000 });
    await Promise.all([...children, waiting.started, quiet.started]);
    await control.abort({ sessionKey: 's', runId: 'to come' }, { intent: true });
    await control.abort({ sessionKey: 's' });
    parent.complete();
    next.complete();
    await flush();
    expect(control.runs.list()).toEqual([]);
    // A stop of a session is kept for the runs that are queued elsewhere, longer than these runs.
    await clock.advance(300_000);
    expect([control.runs.sizes, clock.pending, listenersOn(signal)]).toEqual([NOTHING, 0, 0]);
  });
});

test('a retained run keeps neither its controller nor its value', async () => {
  const { control } = tracked();
  const kept: WeakRef<object>[] = [];
  await control.run({ sessionKey: 's', runId: 'r' }, (run) => {
    const value = { large: 'x'.repeat(1_000) };
    kept.push(new WeakRef(value), new WeakRef(run.signal));
    return value;
  });
  await flush();
  global.gc?.();
  await flush();
  global.gc?.();
  expect(control.runs.get('r')).toMatchObject({ status: 'completed' });
  expect(kept.map((ref) => ref.deref())).toEqual([undefined, undefined]);
});

test('retention is bounded in number: the oldest is forgotten first', async () => {
  const { control } = tracked({ retention: { max: 10 } });
  for (let i = 0; i < 100; i++) (await begin(control, { runId: `r${i}` })).complete();
  expect(control.runs.sizes.entries).toBe(10);
  expect([control.runs.get('r89'), control.runs.get('r90')?.runId]).toEqual([undefined, 'r90']);
});

test('a control that is dropped is collected, without a drain', async () => {
  const refs = Array.from({ length: 10 }, () => {
    const control = createRunControl({ retention: { ttlMs: 0 } });
    void control.run({ sessionKey: 's', timeoutMs: 60_000 }, () => 1);
    return new WeakRef(control);
  });
  await flush();
  global.gc?.();
  await flush();
  global.gc?.();
  expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([]);
});

test('a process that has used everything exits by itself, at once', { timeout: 30_000 }, async () => {
  const fixture = fileURLToPath(new URL('../fixtures/everything.ts', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--import', 'tsx', fixture]);
  const { code, afterMs } = JSON.parse(stdout) as { code: number; afterMs: number };
  expect([code, stderr]).toEqual([0, '']);
  expect(afterMs).toBeLessThan(1_000);
});
