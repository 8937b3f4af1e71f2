import type { RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { type FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { runsIn } from '../../support/records.js';
import { BOUND_MS, unavailable } from '../../support/slow.js';
import { tracked } from '../../support/tracked.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };

/** A node whose backend answers with promises, and another one beside it. */
function slowNode() {
  const state = memory();
  const { control: there, clock }: { control: RunControl; clock: FakeClock } = tracked({ backend: state });
  const slow = new FaultyBackend({ over: state, scope: 'cluster' });
  const { control: here } = tracked({ backend: slow }, clock);
  return { state, slow, here, there, clock };
}

describe('a takeover', () => {
  test.each(['before', 'after'] as const)(
    'cuts the run of its own node with the answer to its claim, not earlier (held %s it acts)',
    async (when) => {
      const { slow, here } = slowNode();
      const old = await begin(here);
      slow.hold('claim', when);
      const next = begin(here);
      await flush();
      expect(old.isCurrent()).toBe(true);
      slow.release('claim');
      expect((await next).isCurrent()).toBe(true);
      expect(old).toMatchObject({ status: 'stopping', reason: 'superseded' });
      old.complete();
      (await next).complete();
    },
  );

  test('is one operation for the runs of both nodes', async () => {
    const { slow, here, there, state } = slowNode();
    const own = await begin(here);
    const foreign = await begin(there, { whenBusy: 'concurrent' });
    const calls = slow.calls.length;
    const next = await begin(here);
    expect(slow.calls.slice(calls)).toEqual(['claim']);
    expect([own, foreign].map((run) => run.reason)).toEqual(['superseded', 'superseded']);
    expect(await runsIn(state)).toMatchObject([
      { runId: own.id, status: 'stopping', supersededBy: next.id },
      { runId: foreign.id, status: 'stopping', supersededBy: next.id },
      { runId: next.id, status: 'running' },
    ]);
    for (const run of [own, foreign, next]) run.complete();
  });

  test('of runs that it has not heard of asks twice', async () => {
    const { slow, here, there } = slowNode();
    const foreign = await begin(there);
    const next = await begin(here);
    expect(slow.calls).toEqual(['claim', 'claim']);
    expect([foreign.isCurrent(), next.isCurrent()]).toEqual([false, true]);
    foreign.complete();
    next.complete();
  });

  test('that the other node’s run forbids stops nobody, on either node, and marks nothing', async () => {
    const { here, there, state } = slowNode();
    const foreign = await begin(there, { owner: ada });
    const own = await begin(here, { owner: eve, whenBusy: 'concurrent' });
    for (const runId of [undefined, 'named']) {
      const answer = here.runs.begin({ sessionKey: 's', owner: eve, ...(runId === undefined ? {} : { runId }) });
      expect(await answer).toMatchObject({ status: 'rejected', cause: 'forbidden', runIds: [] });
    }
    expect([foreign.isCurrent(), own.isCurrent()]).toEqual([true, true]);
    expect((await runsIn(state)).map(({ status }) => status)).toEqual(['running', 'running']);
    foreign.complete();
    own.complete();
  });

  test('whose id is taken elsewhere stops nobody', async () => {
    const { here, there } = slowNode();
    const first = await begin(there, { runId: 'r', sessionKey: 's' });
    const own = await begin(here, { whenBusy: 'concurrent' });
    expect(await here.runs.begin({ sessionKey: 's', runId: 'r' })).toMatchObject({ status: 'duplicate' });
    expect([first.isCurrent(), own.isCurrent()]).toEqual([true, true]);
    first.complete();
    own.complete();
  });

  test('that gets no answer stops the run of its own node all the same, and the record hears of it', async () => {
    const { slow, here, clock, state } = slowNode();
    const old = await begin(here);
    slow.hold('claim');
    const refused = unavailable(here.runs.begin({ sessionKey: 's' }));
    await clock.advance(BOUND_MS);
    await refused;
    expect(old).toMatchObject({ status: 'stopping', reason: 'superseded' });
    await flush();
    expect(await runsIn(state)).toMatchObject([{ runId: old.id, status: 'stopping', reason: 'superseded' }]);
    slow.release('claim');
    await flush();
    expect(await runsIn(state)).toHaveLength(1);
    old.complete();
  });

  test('that is cut while it asks leaves the old run alone, if its claim was not sent', async () => {
    const { slow, here } = slowNode();
    const old = await begin(here);
    slow.hold('lock');
    // The line of the session is busy, so that the claim is not sent yet.
    const grant = here.locks.acquire('s');
    const next = here.runs.begin({ sessionKey: 's', runId: 'next' });
    await flush();
    void here.abort({ runId: 'next' });
    slow.release('lock');
    expect(await next).toMatchObject({ status: 'aborted', reason: 'user' });
    (await grant).release();
    expect(old.isCurrent()).toBe(true);
    old.complete();
  });
});

test('a run that was taken over before its own claim was answered never becomes current', async () => {
  const { slow, here, there } = slowNode();
  slow.hold('claim', 'after');
  const late = here.runs.begin({ sessionKey: 's' });
  await flush();
  const winner = await begin(there, { sessionKey: 's' });
  slow.release('claim');
  expect(await late).toMatchObject({ status: 'aborted', reason: 'superseded' });
  expect(here.runs.session('s').activeRunIds).toEqual([]);
  expect(winner.isCurrent()).toBe(true);
  winner.complete();
});

test('runs that wait for another node keep the order of their begins', async () => {
  const { here, there } = slowNode();
  const old = await begin(there, { sessionKey: 's' });
  const begun = ['first', 'second', 'third'].map((runId) =>
    queued(here, { sessionKey: 's', runId, whenBusy: 'enqueue' }),
  );
  const waiting = await Promise.all(begun);
  const order: string[] = [];
  for (const { started: turn, run } of waiting) {
    void turn.then(() => {
      order.push(run.id);
      run.complete();
    });
  }
  old.complete();
  await flush();
  expect(order).toEqual(['first', 'second', 'third']);
});

test('a takeover on each node: the later generation is current, the earlier is not', async () => {
  const { here, there } = slowNode();
  const mine = await begin(here, { sessionKey: 's' });
  const theirs = await begin(there, { sessionKey: 's' });
  const again = await begin(here, { sessionKey: 's' });
  expect([mine, theirs, again].map((run) => run.isCurrent())).toEqual([false, false, true]);
  expect(again.generation).toBeGreaterThan(theirs.generation);
  for (const run of [mine, theirs, again]) run.complete();
});

test('a run that began beside a takeover while that asked about the other node’s run survives it', async () => {
  const { slow, here, there } = slowNode();
  const remote = await begin(there, { sessionKey: 's' });
  slow.hold('claim');
  const takeover = begin(here, { sessionKey: 's' });
  const beside = begin(here, { sessionKey: 's', whenBusy: 'concurrent' });
  slow.release('claim');
  const runs = await Promise.all([takeover, beside]);
  expect(runs.map((run) => run.isCurrent())).toEqual([true, true]);
  for (const run of [...runs, remote]) run.complete();
});

test('a queued run that hears of an end while it asks does not believe the older answer', async () => {
  const backend = memory();
  const { control: there, clock } = tracked({ backend });
  const late = new FaultyBackend({ over: backend, scope: 'cluster' });
  const { control: here } = tracked({ backend: late }, clock);
  const old = await begin(there, { sessionKey: 's' });
  const next = await queued(here, { sessionKey: 's', whenBusy: 'enqueue' });
  await flush();
  late.hold('claim', 'after');
  await clock.advance(100);
  old.complete();
  late.release('claim');
  await flush();
  await clock.advance(0);
  await flush();
  expect(next.run.status).toBe('running');
  next.run.complete();
});
