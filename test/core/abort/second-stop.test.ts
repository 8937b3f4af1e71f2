import type { AbortOptions } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const owner = { userId: 'ada' };

/** A run with an attached thing that takes its time, and what it was told. */
async function stoppable(options: Parameters<typeof tracked>[0] = {}) {
  const node = tracked(options);
  const told: string[] = [];
  const gone = gate();
  const run = await begin(node.control, { runId: 'r', owner });
  run.attach({
    name: 'browser',
    stop: (reason) => told.push(`stop ${reason}`),
    hasten: (graceMs) => told.push(`hasten ${graceMs}`),
    gone: gone.promise,
  });
  return { ...node, run, told, gone };
}

describe('a second stop', () => {
  test('with a longer grace than the one before changes nothing', async () => {
    const { control, clock, run, told, gone } = await stoppable();
    for (const graceMs of [100, 500, 100, 50]) await control.abort({ runId: 'r' }, { graceMs });
    await clock.advance(40);
    await control.abort({ runId: 'r' }, { graceMs: 20 });
    await control.abort({ runId: 'r' }, { graceMs: 5 });
    expect(told).toEqual(['stop user', 'hasten 100', 'hasten 50', 'hasten 5']);
    run.complete();
    gone.open();
    await flush();
  });

  test('with a shorter grace hurries what is attached, and its receipt waits (A82)', async () => {
    const { control, run, told, gone } = await stoppable();
    await control.abort({ runId: 'r' }, { reason: 'policy', detail: 'first' });
    run.complete();
    const again = await control.abort({ sessionKey: 's' }, { graceMs: 100, reason: 'user' });
    expect(again).toMatchObject({ result: 'already-stopping', runIds: ['r'], queuedRunIds: [] });
    expect(told).toEqual(['stop policy', 'hasten 100']);
    const quiet = watching(again.whenQuiet());
    await flush();
    expect(quiet.state).toBe('pending');
    gone.open();
    await flush();
    expect(quiet.result).toMatchObject({ quiet: true });
    expect(await control.wait('r')).toMatchObject({ reason: 'policy', detail: 'first' });
    expect(await control.abort({ runId: 'r' }, { graceMs: 0 })).toMatchObject({ result: 'already-ended' });
    expect(told).toHaveLength(2);
  });

  test('of a stranger hurries nothing, whatever it selects (A83)', async () => {
    const { control, run, told, gone } = await stoppable();
    await control.abort({ runId: 'r' });
    for (const selector of [{ runId: 'r' }, { sessionKey: 's' }, 'all'] as const) {
      const receipt = await control.abort(selector, { graceMs: 0, requester: { userId: 'eve' } });
      expect(receipt).toMatchObject({ result: 'forbidden', runIds: [] });
      expect((await receipt.whenQuiet()).runs).toEqual([]);
    }
    expect(told).toEqual(['stop user']);
    gone.open();
    run.complete();
    await flush();
  });

  test('hurries the children too, and a thing that throws or rejects does not keep the others', async () => {
    const { control, run, errors, told, gone } = await stoppable();
    const inner = gate();
    const child = run.child({ runId: 'child' }, (own) => {
      own.attach({
        name: 'throws',
        stop: () => {},
        hasten: () => {
          throw new Error('cannot');
        },
        gone: inner.promise,
      });
      own.attach({
        name: 'rejects',
        stop: () => {},
        hasten: () => Promise.reject(new Error('will not')),
        gone: inner.promise,
      });
      own.attach({ name: 'has none', stop: () => {}, gone: inner.promise });
      own.attach({ name: 'last', stop: () => {}, hasten: (ms) => told.push(`child ${ms}`), gone: inner.promise });
      return inner.promise;
    });
    await flush();
    await control.abort({ runId: 'r' });
    await control.abort({ runId: 'r' }, { graceMs: 0 });
    await flush();
    expect(told).toEqual(['stop user', 'hasten 0', 'child 0']);
    expect(errors).toEqual([new Error('cannot'), new Error('will not')]);
    inner.open();
    gone.open();
    run.complete();
    await child;
  });

  test('from a listener of the first finds what is not told to stop yet, and hurries nothing', async () => {
    const { control, run, told, gone } = await stoppable();
    control.on('run:aborted', () => void control.abort({ runId: 'r' }, { graceMs: 0 }));
    await control.abort({ runId: 'r' });
    expect(told).toEqual(['stop user']);
    gone.open();
    run.complete();
    await flush();
  });

  test('that also stops something new is aborted, and hurries both', async () => {
    const { control, run, told, gone } = await stoppable();
    await control.abort({ runId: 'r' });
    const next = await begin(control, { runId: 'next', owner });
    const receipt = await control.abort({ sessionKey: 's' }, { graceMs: 5 });
    expect(receipt).toMatchObject({ result: 'aborted', runIds: ['next', 'r'] });
    expect(told).toEqual(['stop user', 'hasten 5']);
    gone.open();
    run.complete();
    next.complete();
    await flush();
  });

  test('with less than 0, NaN or a string is refused', async () => {
    const { control } = tracked();
    for (const graceMs of [-1, Number.NaN, '5']) {
      const options = { graceMs } as AbortOptions;
      await expect(control.abort('all', options)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    }
  });
});

test('a first stop with a grace tells what is attached to stop, and then how long it has', async () => {
  const { control, run, told, gone } = await stoppable();
  await control.abort({ runId: 'r' }, { graceMs: 0 });
  expect(told).toEqual(['stop user', 'hasten 0']);
  gone.open();
  run.complete();
  await flush();
});

describe('of a run of another node, a second stop', () => {
  test.each([
    ['of the host', undefined],
    ['of its owner', owner],
  ])('%s is already-stopping, and waits', async (_who, requester) => {
    const state = memory();
    const { control: here, clock } = tracked({ backend: new FaultyBackend({ over: state, scope: 'cluster' }) });
    const { control: there } = tracked({ backend: new FaultyBackend({ over: state, scope: 'cluster' }) }, clock);
    const run = await begin(there, { runId: 'r', owner });
    const options = requester === undefined ? {} : { requester };
    await here.abort({ runId: 'r' }, options);
    const selectors = [{ runId: 'r' }, { runId: 'r', sessionKey: 's' }, { sessionKey: 's' }];
    for (const selector of selectors) {
      const again = await here.abort(selector, { ...options, graceMs: 0 });
      expect([selector, again.result, again.runIds]).toEqual([selector, 'already-stopping', ['r']]);
      expect(await again.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: false });
    }
    const stranger = await here.abort({ runId: 'r' }, { requester: { userId: 'eve' }, graceMs: 0 });
    expect(stranger).toMatchObject({ result: 'forbidden', runIds: [] });
    run.complete();
    await flush();
  });
});
