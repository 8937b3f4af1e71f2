import type { Run, RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { type FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };

/** Two controls on one backend stand for two nodes. */
function twoNodes(): { here: RunControl; there: RunControl; clock: FakeClock } {
  const backend = memory();
  const { control: here, clock } = tracked({ backend });
  const { control: there } = tracked({ backend }, clock);
  return { here, there, clock };
}

test('a takeover cuts the run of the other node in the same call', async () => {
  const { here, there } = twoNodes();
  const old = await begin(there, { sessionKey: 's' });
  const next = here.runs.beginSync({ sessionKey: 's' });
  expect(old).toMatchObject({ status: 'stopping', reason: 'superseded' });
  if (next.status !== 'started') throw new Error(next.status);
  expect(next.run.generation).toBeGreaterThan(old.generation);
  old.complete();
  next.run.complete();
});

test('the other node hears of a takeover once it is done: what its listener begins is newer, and wins', async () => {
  const { here, there } = twoNodes();
  const old = await begin(there, { sessionKey: 's' });
  const again: Run[] = [];
  there.on('run:aborted', ({ run }) => {
    if (run.runId !== old.id) return;
    const begun = there.runs.beginSync({ sessionKey: 's' });
    if (begun.status === 'started') again.push(begun.run);
  });
  const next = here.runs.beginSync({ sessionKey: 's', runId: 'next' });
  expect(next).toMatchObject({ status: 'aborted', reason: 'superseded' });
  expect(again.map((run) => run.isCurrent())).toEqual([true]);
  expect(here.runs.session('s').hasActiveRun).toBe(false);
  old.complete();
  again[0]?.complete();
});

test('the other node hears of a session stop once it is recorded: what its listener begins is not stopped by it', async () => {
  const { here, there } = twoNodes();
  const old = await begin(there, { sessionKey: 's' });
  const waiting = await queued(there, { sessionKey: 's' });
  const again: Run[] = [];
  there.on('run:aborted', ({ run }) => {
    if (run.runId !== waiting.run.id) return;
    const begun = there.runs.beginSync({ sessionKey: 's', whenBusy: 'concurrent' });
    if (begun.status === 'started') again.push(begun.run);
  });
  await here.abort({ sessionKey: 's' });
  expect([old.isCurrent(), waiting.run.status]).toEqual([false, 'aborted']);
  expect(again.map((run) => run.isCurrent())).toEqual([true]);
  old.complete();
  again[0]?.complete();
});

test('a rejected run names the run of the other node, if its owner may read it', async () => {
  const { here, there } = twoNodes();
  const old = await begin(there, { sessionKey: 's', owner: ada });
  const answers = [ada, eve].map((owner) => here.runs.beginSync({ sessionKey: 's', whenBusy: 'reject', owner }));
  expect(answers).toMatchObject([
    { status: 'rejected', cause: 'busy', runIds: [old.id] },
    { status: 'rejected', cause: 'busy', runIds: [] },
  ]);
  old.complete();
});

test('a takeover that the other node’s run forbids cuts nothing, on either node', async () => {
  const { here, there } = twoNodes();
  const foreign = await begin(there, { sessionKey: 's', owner: ada });
  const own = await begin(here, { sessionKey: 's', owner: eve, whenBusy: 'concurrent' });
  expect(here.runs.beginSync({ sessionKey: 's', owner: eve })).toEqual({
    status: 'rejected',
    cause: 'forbidden',
    runIds: [],
    leftovers: [],
  });
  expect([foreign.isCurrent(), own.isCurrent()]).toEqual([true, true]);
  foreign.complete();
  own.complete();
});

test('a stranger’s abort in the middle of a takeover’s notice lets no effect happen, and is told as forbidden', async () => {
  const { here, there } = twoNodes();
  const old = await begin(there, { sessionKey: 's', owner: ada });
  const effects: string[] = [];
  const send = old.fence((by: string) => void effects.push(by));
  const receipts: Promise<unknown>[] = [];
  there.on('run:aborted', () => {
    receipts.push(there.abort({ runId: old.id }, { requester: eve }));
    send('in the listener');
  });
  receipts.push(there.abort({ runId: old.id }, { requester: eve }));
  send('after a stranger’s abort');
  const next = await begin(here, { sessionKey: 's', owner: ada });
  send('after the takeover');
  expect(effects).toEqual(['after a stranger’s abort']);
  expect(old.reason).toBe('superseded');
  expect(await Promise.all(receipts)).toMatchObject([{ result: 'forbidden' }, { result: 'forbidden' }]);
  old.complete();
  next.complete();
});

test('a queued run starts when the run of the other node ends', async () => {
  const { here, there } = twoNodes();
  const old = await begin(there, { sessionKey: 's' });
  const next = await queued(here, { sessionKey: 's', whenBusy: 'enqueue' });
  old.complete();
  expect(await next.started).toMatchObject({ status: 'started' });
  expect(next.run.generation).toBeGreaterThan(old.generation);
  next.run.complete();
});

test('a queued run finds out by itself that the other node’s run has ended, when the notice is lost', async () => {
  const backend = memory();
  const { control: there, clock } = tracked({ backend });
  const deaf = new FaultyBackend({ over: backend });
  deaf.isDeaf = true;
  const { control: here } = tracked({ backend: deaf }, clock);
  const old = await begin(there, { sessionKey: 's' });
  const next = await queued(here, { sessionKey: 's', whenBusy: 'enqueue' });
  await flush();
  old.complete();
  await flush();
  expect(next.run.status).toBe('queued');
  await clock.advance(100);
  expect(next.run.status).toBe('running');
  next.run.complete();
});

describe('startWhen quiet', () => {
  test.each(['interrupt', 'enqueue', 'concurrent'] as const)(
    'a run that does %s waits until the other node’s stopping run is quiet',
    async (whenBusy) => {
      const { here, there } = twoNodes();
      const old = await begin(there, { sessionKey: 's' });
      await there.abort({ runId: old.id });
      const next = await queued(here, { sessionKey: 's', whenBusy, startWhen: 'quiet' });
      await flush();
      expect(next.run.status).toBe('queued');
      old.complete();
      expect(await next.started).toMatchObject({ status: 'started' });
      next.run.complete();
    },
  );

  test('a run that would reject is refused while the other node’s run is stopping', async () => {
    const { here, there } = twoNodes();
    const old = await begin(there, { sessionKey: 's' });
    await there.abort({ runId: old.id });
    expect(here.runs.beginSync({ sessionKey: 's', whenBusy: 'reject', startWhen: 'quiet' })).toMatchObject({
      status: 'rejected',
      cause: 'busy',
      runIds: [old.id],
    });
    old.complete();
  });

  test('is given up after the grace', async () => {
    const { here, there, clock } = twoNodes();
    const old = await begin(there, { sessionKey: 's' });
    const next = await queued(here, { whenBusy: 'interrupt', startWhen: 'quiet', graceMs: 300 });
    expect(old.reason).toBe('superseded');
    await clock.advance(300);
    expect(await next.started).toMatchObject({ status: 'rejected', cause: 'not-quiet' });
    old.complete();
  });
});

test('the same run id on the other node is a duplicate, with the first run and its outcome', async () => {
  const { here, there } = twoNodes();
  const first = await begin(there, { sessionKey: 's', runId: 'r' });
  const second = await here.runs.begin({ sessionKey: 's', runId: 'r' });
  if (second.status !== 'duplicate') throw new Error(second.status);
  expect(second.run).toMatchObject({ runId: 'r', generation: first.generation, status: 'running' });
  expect(first.isCurrent()).toBe(true);
  first.complete('only known there');
  expect(await second.outcome).toEqual({ status: 'completed' });
});

test.each([
  { what: 'another session', options: { sessionKey: 'other', runId: 'r' } },
  { what: 'another kind', options: { sessionKey: 's', runId: 'r', kind: 'cron' } },
  { what: 'a stranger', options: { sessionKey: 's', runId: 'r', owner: eve } },
])('the same run id of $what on the other node is a conflict that says nothing', async ({ options }) => {
  const { here, there } = twoNodes();
  const first = await begin(there, { sessionKey: 's', runId: 'r', owner: ada });
  await expect(here.runs.begin(options)).rejects.toMatchObject({ code: 'RUN_ID_CONFLICT' });
  expect(first.isCurrent()).toBe(true);
  first.complete();
});
