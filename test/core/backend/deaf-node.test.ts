import type { Run, RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { runsIn } from '../../support/records.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';

const ada = { userId: 'ada' };

/** A node that hears no notice of what the other one does. */
function deafNode() {
  const state = memory();
  const deaf = new FaultyBackend({ over: state });
  deaf.isDeaf = true;
  const { control: here, clock, errors } = tracked({ backend: deaf });
  const { control: there } = tracked({ backend: state }, clock);
  return { state, deaf, here, there, clock, errors };
}

/** What the other node may do to a run, and with what reason it ends. */
const cuts: readonly (readonly [string, string, (there: RunControl) => Promise<Run | undefined>])[] = [
  ['a stop of the run', 'policy', async (there) => void (await there.abort({ runId: 'r' }, { reason: 'policy' }))],
  [
    'a stop of the session',
    'policy',
    async (there) => void (await there.abort({ sessionKey: 's' }, { reason: 'policy' })),
  ],
  ['a takeover', 'superseded', (there) => begin(there)],
];

/** The first thing that this node does in the session after that. */
const operations: Readonly<Record<string, (run: Run, here: RunControl) => unknown>> = {
  'a gated tool, which is not called': async (run) => {
    const tool = run.gate(() => expect.unreachable());
    await expect(tool()).rejects.toMatchObject({ code: 'RUN_ABORTED', started: false });
  },
  'a commit, whose section is not called': (run) =>
    expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ABORTED' }),
  'an announced epilogue': (run) => void run.epilogue(() => {}),
  'another run beside it': async (_, here) => (await begin(here, { whenBusy: 'concurrent' })).complete(),
  'a queued run': async (_, here) => {
    const begun = await here.runs.begin({ sessionKey: 's', whenBusy: 'enqueue' });
    if (begun.status === 'started' || begun.status === 'queued') begun.run.fail(new Error('not needed'));
  },
  'its completion': (run) => void run.complete('value'),
  'its failure': (run) => void run.fail(new Error('broken')),
  'an abort of its own, later than that one': (_, here) => here.abort({ runId: 'r' }, { reason: 'disconnect' }),
  'a lock that nobody holds for it': async (_, here) => (await here.locks.acquire('s')).release(),
};

describe.each(cuts)('%s of the other node that is not heard', (_, reason, cut) => {
  test.each(Object.entries(operations))('is found by %s', async (_name, operate) => {
    const { here, there, clock, state } = deafNode();
    const run = await begin(here, { runId: 'r' });
    const successor = await cut(there);
    expect(run.isCurrent()).toBe(true);
    const outcome = here.wait('r');
    await operate(run, here);
    await flush();
    expect(run.isCurrent()).toBe(false);
    expect(await outcome).toMatchObject({ status: 'aborted', reason });
    run.complete();
    await clock.advance(100);
    successor?.complete();
    await flush();
    expect(await runsIn(state)).toEqual([]);
  });

  test('is found after a gap, by a node that does nothing', async () => {
    const { here, there, deaf } = deafNode();
    const run = await begin(here, { runId: 'r' });
    const successor = await cut(there);
    deaf.tellGap();
    await flush();
    expect(run).toMatchObject({ status: 'stopping', reason });
    run.complete();
    successor?.complete();
  });

  test('costs no time where the record comes with the next notice', async () => {
    const { here, there, deaf } = deafNode();
    const run = await begin(here, { runId: 'r' });
    const successor = await cut(there);
    deaf.isDeaf = false;
    // Whatever changes the session: the notice is of the record, not of this change.
    (await begin(there, { whenBusy: 'concurrent' })).complete();
    expect(run).toMatchObject({ status: 'stopping', reason });
    run.complete();
    successor?.complete();
  });
});

/** What the other node stops is in the list alone: it cannot see the runs whose records it would mark. */
function listed() {
  const { state, clock, ...more } = deafNode();
  const blind = new FaultyBackend({ over: state });
  const { control: there } = tracked({ backend: blind }, clock);
  const stop = (owner: typeof ada) => {
    blind.failNext('readActive');
    return there.abort({ owner }, { reason: 'policy' });
  };
  return { ...more, clock, stop };
}

describe('a stop of all that an owner has that is not heard', () => {
  test('is found after a gap, and hits what was begun before it alone', async () => {
    const { here, stop, deaf } = listed();
    const old = await begin(here, { owner: ada });
    await stop(ada);
    const next = await begin(here, { owner: ada, whenBusy: 'concurrent' });
    expect(old.isCurrent()).toBe(true);
    deaf.tellGap();
    await flush();
    expect([old.reason, next.isCurrent()]).toEqual(['policy', true]);
    old.complete();
    next.complete();
  });

  test('is found with the next one that is heard', async () => {
    const { here, stop, deaf } = listed();
    const old = await begin(here, { owner: ada });
    await stop(ada);
    deaf.isDeaf = false;
    await stop({ userId: 'eve' });
    expect(old.reason).toBe('policy');
    old.complete();
  });

  test('is read again a second later if the list cannot be read', async () => {
    const { here, stop, deaf, clock, errors } = listed();
    const old = await begin(here, { owner: ada });
    await stop(ada);
    deaf.failNext('readStops');
    deaf.tellGap();
    await flush();
    expect(old.isCurrent()).toBe(true);
    await clock.advance(1_000);
    expect(old.reason).toBe('policy');
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
    old.complete();
  });
});

describe('a lost notice', () => {
  test('of a release costs the time until the lock is asked for again', async () => {
    const { here, there, clock } = deafNode();
    const grant = await there.locks.acquire('s');
    const waiting = watching(here.locks.acquire('s'));
    await flush();
    grant.release();
    await clock.advance(49);
    expect(waiting.state).toBe('pending');
    await clock.advance(1);
    expect(waiting.state).toBe('fulfilled');
    (waiting.result as { release(): void }).release();
  });

  test('of an end costs a queued run the time until it asks again', async () => {
    const { here, there, clock } = deafNode();
    const old = await begin(there);
    const next = await queued(here);
    await flush();
    old.complete();
    await clock.advance(99);
    expect(next.run.status).toBe('queued');
    await clock.advance(1);
    expect(next.run.status).toBe('running');
    next.run.complete();
  });

  test('of an outcome costs who waits for it a second', async () => {
    const { here, there, clock } = deafNode();
    const run = await begin(there, { runId: 'r' });
    const outcome = watching(here.wait('r'));
    await flush();
    run.complete();
    await clock.advance(999);
    expect(outcome.state).toBe('pending');
    await clock.advance(1);
    expect(outcome.result).toEqual({ status: 'completed' });
  });

  test('of quiet costs a receipt a second', async () => {
    const { here, there, clock } = deafNode();
    const run = await begin(there, { runId: 'r' });
    const quiet = watching((await here.abort({ runId: 'r' })).whenQuiet());
    await flush();
    run.complete();
    await clock.advance(1_000);
    expect(quiet.result).toMatchObject({ quiet: true, runs: [{ runId: 'r', state: 'quiet' }] });
  });
});

describe('a node whose notices come late', () => {
  test('has long been told by its own answers, and hears nothing new', async () => {
    const { here, there, deaf } = deafNode();
    deaf.isDeaf = false;
    deaf.holdNotices();
    const told: string[] = [];
    for (const name of ['run:aborted', 'run:ended', 'run:quiet'] as const) here.on(name, () => told.push(name));
    const run = await begin(here, { runId: 'r' });
    await there.abort({ runId: 'r' });
    await expect(run.gate(() => {})()).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    run.complete();
    await flush();
    const next = await begin(here, { whenBusy: 'concurrent' });
    deaf.releaseNotices();
    await flush();
    expect(told).toEqual(['run:aborted', 'run:ended', 'run:quiet']);
    expect(next.isCurrent()).toBe(true);
    next.complete();
  });
});
