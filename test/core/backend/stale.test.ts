import { memory, type Notices, type Snapshot } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { holderIn, recordOf, runsIn } from '../../support/records.js';
import { tracked } from '../../support/tracked.js';

const ada = { userId: 'ada' };
/** Its ended runs are forgotten at once: their ids and attempts are known to nobody. */
const FORGETFUL = { retention: { ttlMs: 0 } } as const;

/** Two nodes, of which one sends some requests twice, the second time late. */
function stuttering() {
  const state = memory();
  const backend = new FaultyBackend({ over: state });
  const { control: here, clock, errors } = tracked({ backend, ...FORGETFUL });
  const { control: there } = tracked({ backend: state, ...FORGETFUL }, clock);
  return { state, backend, here, there, clock, errors };
}

describe('a claim that takes effect once more when its run is over', () => {
  async function ghost() {
    const node = stuttering();
    node.backend.duplicateNext('claim');
    (await begin(node.here, { runId: 'r' })).complete();
    await flush();
    node.backend.release('claim');
    await flush();
    expect(await runsIn(node.state)).toMatchObject([{ runId: 'r', status: 'running' }]);
    return node;
  }

  test('is in nobody’s way here', async () => {
    const { here } = await ghost();
    const next = await begin(here, { whenBusy: 'reject' });
    next.complete();
  });

  test('is stopped by a takeover of another node, and its own node takes it out of the record', async () => {
    const { here, there, state } = await ghost();
    const next = await begin(there);
    next.complete();
    expect(here.runs.unquiet()).toEqual([]);
    await here.abort({ sessionKey: 's' });
    await flush();
    expect(await runsIn(state)).toEqual([]);
  });

  test('is taken out of the record after a gap in the notices', async () => {
    const { backend, there, state } = await ghost();
    backend.tellGap();
    await flush();
    expect(await runsIn(state)).toEqual([]);
    (await begin(there, { whenBusy: 'reject' })).complete();
  });
});

test('a claim that takes effect twice while its run goes on is one run', async () => {
  const { backend, here, state } = stuttering();
  backend.duplicateNext('claim');
  const run = await begin(here);
  backend.release('claim');
  await flush();
  expect(await runsIn(state)).toMatchObject([{ runId: run.id, generation: run.generation }]);
  expect(run.isCurrent()).toBe(true);
  run.complete();
});

describe('a stop that takes effect once more', () => {
  test('does not hit the next message, on either node', async () => {
    const { backend, here, there } = stuttering();
    const old = await begin(here);
    backend.duplicateNext('stop');
    await here.abort({ sessionKey: 's' });
    old.complete();
    const next = [await begin(here), await begin(there, { whenBusy: 'concurrent' })];
    backend.release('stop');
    await flush();
    expect(next.map((run) => run.isCurrent())).toEqual([true, true]);
    for (const run of next) run.complete();
  });

  test('does not hit the next run of the same id', async () => {
    const { backend, here } = stuttering();
    const old = await begin(here, { runId: 'r' });
    backend.duplicateNext('stop');
    await here.abort({ runId: 'r' });
    old.complete();
    await flush();
    const next = await begin(here, { runId: 'r' });
    backend.release('stop');
    await flush();
    expect(next.isCurrent()).toBe(true);
    next.complete();
  });

  test('for every node does not hit what its owner begins next', async () => {
    const { backend, here, there } = stuttering();
    const old = await begin(there, { owner: ada });
    backend.duplicateNext('stopEverywhere');
    await here.abort({ owner: ada });
    expect(old.isCurrent()).toBe(false);
    const next = await begin(there, { owner: ada });
    backend.release('stopEverywhere');
    await flush();
    expect(next.isCurrent()).toBe(true);
    old.complete();
    next.complete();
  });
});

test('an end that takes effect once more does not end the next run of the same id', async () => {
  const { backend, here, state } = stuttering();
  const first = await begin(here, { runId: 'r' });
  backend.duplicateNext('end');
  first.complete();
  await flush();
  const second = await begin(here, { runId: 'r' });
  backend.release('end');
  await flush();
  expect([second.isCurrent(), await runsIn(state)]).toMatchObject([true, [{ generation: second.generation }]]);
  second.complete();
});

describe('a question for the lock that takes effect once more when its grant was given back', () => {
  async function forgotten() {
    const node = stuttering();
    node.backend.duplicateNext('lock');
    (await node.here.locks.acquire('s')).release();
    await flush();
    node.backend.release('lock');
    await flush();
    expect(await holderIn(node.state)).toBeDefined();
    return node;
  }

  test('is given back to the next who asks here', async () => {
    const { here, clock } = await forgotten();
    const next = here.locks.acquire('s', { timeoutMs: 100 });
    await clock.advance(50);
    (await next).release();
  });

  test('is given back to another node once its own hears of the session again', async () => {
    const { backend, there, clock } = await forgotten();
    const next = there.locks.acquire('s', { timeoutMs: 1_000 });
    backend.tellGap();
    await clock.advance(50);
    (await next).release();
  });
});

test('a release that takes effect once more does not free the next grant', async () => {
  const { backend, here, state } = stuttering();
  const first = await here.locks.acquire('s');
  backend.duplicateNext('unlock');
  first.release();
  const second = await here.locks.acquire('s');
  backend.release('unlock');
  await flush();
  expect([second.isHeld(), await holderIn(state)]).toMatchObject([true, { token: second.token }]);
  second.release();
});

describe('a notice of another node', () => {
  function noticed() {
    const state = memory();
    let notices: Notices | undefined;
    const subscribe = state.subscribe.bind(state);
    state.subscribe = (nodeId, given) => {
      notices ??= given;
      return subscribe(nodeId, given);
    };
    const { control: here, clock, errors } = tracked({ backend: state, ...FORGETFUL });
    const { control: there } = tracked({ backend: state, ...FORGETFUL }, clock);
    const hear = ({ version, ...record }: Snapshot): void => notices?.changed('s', version, { version, ...record });
    return { state, here, there, hear, errors };
  }

  test('that is older than what was seen hits nobody', async () => {
    const { state, here, there, hear } = noticed();
    const first = await begin(here, { runId: 'r' });
    await there.abort({ runId: 'r' });
    const old = await recordOf(state);
    first.complete();
    const second = await begin(here, { runId: 'r' });
    hear(old);
    expect(second.isCurrent()).toBe(true);
    second.complete();
  });

  test('of a stop of another generation hits nobody', async () => {
    const { state, here, hear } = noticed();
    const run = await begin(here, { runId: 'r' });
    const record = await recordOf(state);
    const runs = record.runs.map((there) => ({
      ...there,
      generation: there.generation - 1,
      status: 'stopping' as const,
    }));
    hear({ ...record, version: run.generation - 1, runs });
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });

  test('hits nothing that the host registered by itself under that id', async () => {
    const { state, here, there, hear, errors } = noticed();
    const run = await begin(there, { runId: 'r' });
    const record = await recordOf(state);
    const entry = here.aborts.register({ id: 'r', sessionKey: 's' });
    if (!entry.registered) throw new Error('taken');
    hear({ ...record, version: record.version + 1, runs: record.runs.map((one) => ({ ...one, status: 'stopping' })) });
    expect([entry.signal.aborted, errors]).toEqual([false, []]);
    entry.release();
    run.complete();
  });

  test('that comes twice is heard once', async () => {
    const state = memory();
    const backend = new FaultyBackend({ over: state });
    backend.isEchoing = true;
    const { control: here, clock } = tracked({ backend });
    const { control: there } = tracked({ backend: state }, clock);
    const told: string[] = [];
    for (const name of ['run:aborted', 'run:ended', 'run:quiet'] as const) here.on(name, () => told.push(name));
    const run = await begin(here);
    await there.abort({ sessionKey: 's' });
    run.complete();
    await flush();
    expect(told).toEqual(['run:aborted', 'run:ended', 'run:quiet']);
  });
});
