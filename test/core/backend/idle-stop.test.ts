import type { RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';

describe('a stop of a session in which nothing runs', () => {
  /** A run that is queued on one node, and nothing that runs on any: the one before it is stopping. */
  async function waitingThere(hearsOthers: boolean) {
    const under = memory();
    const backend = new FaultyBackend({ over: under });
    backend.isDeaf = !hearsOthers;
    const { control: there, clock } = tracked({ backend });
    const { control: here } = tracked({ backend: under }, clock);
    const old = await begin(there);
    await there.abort({ runId: old.id });
    const next = await queued(there, { whenBusy: 'concurrent', startWhen: 'quiet' });
    const stop = (options: Parameters<RunControl['abort']>[1] = {}) => here.abort({ sessionKey: 's' }, options);
    return { old, next, stop };
  }

  test.each([
    ['hears of it', true],
    ['does not hear of it', false],
  ] as const)('stops what was queued before it on a node that %s', async (_, hearsOthers) => {
    const { old, next, stop } = await waitingThere(hearsOthers);
    expect(await stop()).toMatchObject({ result: 'already-stopping', runIds: [old.id] });
    old.complete();
    expect(await next.started).toMatchObject({ status: 'aborted', reason: 'user' });
  });

  test('that keeps the queue stops nothing (A49)', async () => {
    const { old, next, stop } = await waitingThere(false);
    await stop({ queued: 'keep' });
    old.complete();
    expect(await next.started).toMatchObject({ status: 'started' });
    next.run.complete();
    await flush();
  });

  test('does not reach a run that is queued after it on a node that was not there yet', async () => {
    const backend = memory();
    const { control: here, clock } = tracked({ backend });
    await here.abort({ sessionKey: 's' });
    const { control: there } = tracked({ backend }, clock);
    const first = await begin(there);
    const next = await queued(there, { whenBusy: 'enqueue' });
    first.complete();
    expect(await next.started).toMatchObject({ status: 'started' });
    next.run.complete();
    await flush();
  });

  test('does not reach a run that begins after it', async () => {
    const { control } = tracked();
    expect(await control.abort({ sessionKey: 's' })).toMatchObject({ result: 'nothing-running' });
    expect(await control.run({ sessionKey: 's' }, () => 1)).toEqual({ status: 'completed', value: 1 });
  });

  test('right after the end of its run does not reach the next (D10)', async () => {
    const { control } = tracked();
    const run = await begin(control);
    run.complete();
    const stopped = control.abort({ sessionKey: 's' });
    const next = await begin(control);
    expect(await stopped).toMatchObject({ result: 'nothing-running', runIds: [] });
    expect(next.isCurrent()).toBe(true);
    next.complete();
  });
});

test('a claim that hangs in one session does not hold up a stop in another (I6)', async () => {
  const backend = new FaultyBackend();
  const { control, clock } = tracked({ backend });
  const other = await begin(control, { sessionKey: 'other' });
  backend.hold('claim');
  const hung = begin(control);
  const before = clock.monotonic();
  const stopped = control.abort({ sessionKey: 'other' });
  expect(other.isCurrent()).toBe(false);
  expect(await stopped).toMatchObject({ result: 'aborted' });
  expect(clock.monotonic()).toBe(before);
  backend.release('claim');
  (await hung).complete();
  other.complete();
  await flush();
});
