import type { RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { type FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };
/** A queued run that the backend refused is asked for again after so long. */
const RETRY_MS = 100;

/** Two nodes on one backend, of which this one hears no notice. */
function deafNode(retention?: { readonly ttlMs: number }): {
  here: RunControl;
  there: RunControl;
  deaf: FaultyBackend;
  clock: FakeClock;
} {
  const shared = memory();
  const deaf = new FaultyBackend({ over: shared });
  deaf.isDeaf = true;
  const { control: here, clock } = tracked({ backend: deaf });
  const options = retention === undefined ? {} : { retention };
  const { control: there } = tracked({ backend: shared, ...options }, clock);
  return { here, there, deaf, clock };
}

test('a run that another node stopped meanwhile is cut after the gap, with that reason', async () => {
  const { here, there, deaf } = deafNode();
  const [stopped, other] = [await begin(here), await begin(here, { sessionKey: 't' })];
  await there.abort({ sessionKey: 's' }, { reason: 'policy' });
  expect(stopped.isCurrent()).toBe(true);
  deaf.heal();
  await flush();
  expect(stopped).toMatchObject({ status: 'stopping', reason: 'policy' });
  expect(other.isCurrent()).toBe(true);
  stopped.complete();
  other.complete();
});

describe('a run that is queued here when another node stops the session', () => {
  test('is stopped when it asks for its start', async () => {
    const { here, there, clock } = deafNode();
    const first = await begin(there);
    const next = await queued(here, { owner: ada });
    await there.abort({ sessionKey: 's' }, { requester: ada, reason: 'policy' });
    first.complete();
    await clock.advance(RETRY_MS);
    expect(await next.started).toMatchObject({ status: 'aborted', reason: 'policy' });
  });

  test('starts if who stopped the session may not stop it', async () => {
    const { here, there, clock } = deafNode();
    const first = await begin(there, { owner: eve });
    const next = await queued(here, { owner: ada });
    await there.abort({ sessionKey: 's' }, { requester: eve });
    first.complete();
    await clock.advance(RETRY_MS);
    expect(await next.started).toMatchObject({ status: 'started' });
    next.run.complete();
  });

  test('is not concerned by a stop from before it was queued', async () => {
    const { here, there, clock } = deafNode();
    await there.abort({ sessionKey: 's' });
    const first = await begin(there);
    const next = await queued(here);
    await flush();
    first.complete();
    await clock.advance(RETRY_MS);
    expect(await next.started).toMatchObject({ status: 'started' });
    next.run.complete();
  });
});

describe('a run of another node that is over and forgotten after the gap', () => {
  test('is unknown to who waits for it', async () => {
    const { here, there, deaf } = deafNode({ ttlMs: 0 });
    const run = await begin(there, { runId: 'r' });
    const wait = here.wait('r');
    await flush();
    run.complete();
    deaf.heal();
    expect(await wait).toEqual({ status: 'unknown' });
  });

  test('has failed for who repeated its request', async () => {
    const { here, there, deaf } = deafNode({ ttlMs: 0 });
    const run = await begin(there, { runId: 'r' });
    const again = await here.start({ sessionKey: 's', runId: 'r' }, () => expect.unreachable());
    if (again.status !== 'duplicate') throw new Error(again.status);
    await flush();
    run.complete();
    deaf.heal();
    expect(await again.outcome).toMatchObject({ status: 'failed', error: { code: 'RUN_FAILED' } });
  });
});

test('of two who wait for a run of another node, one gives up, and the other has its outcome', async () => {
  const { here, there, deaf, clock } = deafNode();
  const run = await begin(there, { runId: 'r' });
  const [short, long] = [here.wait('r', { timeoutMs: 10 }), here.wait('r', { timeoutMs: 1_000 })];
  await flush();
  await clock.advance(10);
  expect(await short).toEqual({ status: 'timeout' });
  deaf.heal();
  run.complete();
  expect(await long).toEqual({ status: 'completed' });
});

test('a run of another node that nobody waits for any more is not asked for after a gap', async () => {
  const { here, there, deaf, clock } = deafNode();
  const run = await begin(there, { runId: 'r' });
  const wait = here.wait('r', { timeoutMs: 10 });
  await flush();
  await clock.advance(10);
  expect(await wait).toEqual({ status: 'timeout' });
  const asked = deaf.calls.length;
  deaf.heal();
  await flush();
  // The list of the stops for all nodes, and what the backend has under this node's name.
  expect(deaf.calls.slice(asked)).toEqual(['readStops', 'readNode']);
  run.complete();
});
