import { type Backend, memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { holderIn, recordOf, runsIn, storedRun } from '../../support/records.js';
import { unavailable } from '../../support/slow.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';

/** What was not answered is compared again after so long. */
const LOOK_MS = 1_000;
const ada = { userId: 'ada' };
const BESIDE = { whenBusy: 'concurrent' } as const;

/** Two nodes on one state. The ended runs of the first are forgotten at once. */
function nodes() {
  const state = memory();
  const backend = new FaultyBackend({ over: state });
  const { control: here, clock } = tracked({ backend, retention: { ttlMs: 0 } });
  const other = new FaultyBackend({ over: state });
  const { control: there } = tracked({ backend: other }, clock);
  /** A stop for all nodes that hits nobody: its notice makes the other node compare what it has of the records. */
  const compare = () => there.abort({ tag: 'none' });
  return { state, backend, other, here, there, clock, compare };
}

/** A claim under the name of the node that has `r`, of which that node knows nothing. */
async function claimGhost(state: Backend): Promise<number> {
  const stored = await storedRun(state);
  if (stored === undefined) throw new Error('The run is not there.');
  const claim = {
    ...stored,
    runId: 'ghost',
    isOwnId: true,
    attempt: 1_000,
    hasEpilogue: true,
    mode: 'concurrent',
  } as const;
  const terms = {
    whenQuiet: false,
    replaces: [],
    beside: [],
    repeats: undefined,
    since: undefined,
    judged: 0,
    seen: 0,
  };
  const answer = await state.claim({ ...claim, ...terms });
  if (answer.kind !== 'granted') throw new Error(answer.kind);
  return answer.generation;
}

describe('the record that a node has kept is older than a run of its own, which', () => {
  test('goes on although it is not in it', async () => {
    const { here, there, compare } = nodes();
    const first = await begin(here);
    const other = await begin(there, BESIDE);
    const run = await begin(here, BESIDE);
    await compare();
    expect(run.isCurrent()).toBe(true);
    for (const begun of [first, other, run]) begun.complete();
    await flush();
  });

  test('goes on although the one that had its id before is stopped in it', async () => {
    const { here, there, compare } = nodes();
    const beside = await begin(here);
    const old = await begin(here, { ...BESIDE, runId: 'r' });
    await there.abort({ runId: 'r' });
    old.complete();
    await flush();
    const run = await begin(here, { ...BESIDE, runId: 'r' });
    await compare();
    expect(run.isCurrent()).toBe(true);
    for (const begun of [beside, run]) begun.complete();
    await flush();
  });
});

test('an intent of another node leaves a run in its queue, and stops it when its turn comes', async () => {
  const { here, there } = nodes();
  const old = await begin(there);
  const first = await queued(here);
  const next = await queued(here, { runId: 'r' });
  await flush();
  await there.abort({ sessionKey: 's', runId: 'r' }, { intent: true, reason: 'policy' });
  await flush();
  expect(next.run.status).toBe('queued');
  old.complete();
  expect(await first.started).toMatchObject({ status: 'started' });
  first.run.complete();
  expect(await next.started).toMatchObject({ status: 'aborted', reason: 'policy' });
});

test('a grant that is lost while its record is read, for longer than until the next look, is looked for once more', async () => {
  const { state, backend, here, clock } = nodes();
  const run = await begin(here);
  backend.hold('readSession', 'after');
  backend.tellGap();
  await flush();
  backend.failNext('lock', 'after');
  await unavailable(here.locks.acquire('s'));
  await clock.advance(LOOK_MS);
  backend.release('readSession');
  await flush();
  expect(await holderIn(state)).toBeDefined();
  await clock.advance(LOOK_MS);
  expect(await holderIn(state)).toBeUndefined();
  run.complete();
  await flush();
});

test('a run that another node has ended in the record goes on no more, and has the reason of the record', async () => {
  const { state, here, there } = nodes();
  const run = await begin(here, { runId: 'r' });
  const outcome = here.wait('r');
  // As one that needs the session does for a node whose lease has ended.
  const ended = { sessionKey: 's', runId: 'r', generation: run.generation, nodeId: 'other', seen: 0 };
  await state.end({ ...ended, status: 'aborted', reason: 'policy', report: undefined, retain: true });
  const beside = await begin(there, BESIDE);
  expect([run.isCurrent(), run.status]).toEqual([false, 'stopping']);
  expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
  for (const begun of [run, beside]) begun.complete();
  await flush();
});

test('a stop of all nodes that the list has behind a grant hits the run when the answer comes', async () => {
  const { backend, other, here, there } = nodes();
  backend.hold('claim', 'after');
  const begun = watching(here.runs.begin({ sessionKey: 's', runId: 'r', tags: ['red'] }));
  await flush();
  // In the list alone: the record of the run is not seen.
  other.failNext('readActive');
  await there.abort({ tag: 'red' }, { reason: 'policy' });
  backend.release('claim');
  await flush();
  expect(begun.result).toEqual({ status: 'aborted', runId: 'r', reason: 'policy' });
});

test('a stop that a failover has taken from the record is kept there again, under its number', async () => {
  const { state, here, there } = nodes();
  const run = await begin(here, { owner: ada });
  await here.abort({ sessionKey: 's' }, { requester: ada, reason: 'policy' });
  const { stops } = await recordOf(state);
  expect(stops).toMatchObject([{ reason: 'policy' }]);
  for (const { number: stop } of stops) await state.forget({ sessionKey: 's', stop });
  const beside = await begin(there, BESIDE);
  await flush();
  expect((await recordOf(state)).stops).toMatchObject(stops.map(({ number, selector }) => ({ number, selector })));
  expect(beside.isCurrent()).toBe(true);
  for (const begun of [run, beside]) begun.complete();
  await flush();
});

test('a run that is stopped while its end is on its way is ended once that is answered, and once', async () => {
  const { state, backend, here, there } = nodes();
  const run = await begin(here, { runId: 'r' });
  backend.hold('end');
  run.complete('late');
  await there.abort({ runId: 'r' }, { reason: 'policy' });
  expect([run.status, run.reason]).toEqual(['aborted', 'policy']);
  backend.release('end');
  await flush();
  expect(backend.calls.filter((method) => method === 'end')).toHaveLength(2);
  expect([await runsIn(state), await storedRun(state)]).toEqual([[], undefined]);
});

test('an epilogue whose announcement was lost is announced again', async () => {
  const { state, backend, here, clock } = nodes();
  const run = await begin(here, { runId: 'r' });
  backend.failNext('announce');
  run.epilogue(() => {});
  await flush();
  expect(await storedRun(state)).toMatchObject({ hasEpilogue: false });
  await clock.advance(LOOK_MS);
  expect(await storedRun(state)).toMatchObject({ hasEpilogue: true });
  run.complete();
  await flush();
});

test('a grant that is read before its answer has come is not given back', async () => {
  const { state, backend, here } = nodes();
  const run = await begin(here);
  backend.hold('lock', 'after');
  const asked = here.locks.acquire('s');
  await flush();
  backend.tellGap();
  await flush();
  backend.release('lock');
  const grant = await asked;
  await flush();
  expect([grant.isHeld(), await holderIn(state)]).toMatchObject([true, { token: grant.token }]);
  grant.release();
  run.complete();
  await flush();
});

test.each([
  ['is not used', false],
  ['is held', true],
])('the place of an epilogue that is not here is given back where the lock %s here', async (_, isHeld) => {
  const { state, backend, here, clock } = nodes();
  const run = await begin(here, { runId: 'r' });
  const grant = isHeld ? await here.locks.acquire('s') : undefined;
  const generation = await claimGhost(state);
  const ghost = { runId: 'ghost', generation, revoke: undefined, hasEpilogue: true };
  backend.failNext('end');
  const asked = { sessionKey: 's', nodeId: 'other', seen: 0, attempt: 1, number: undefined, named: [] };
  await state.stop({ ...asked, reason: 'policy', runs: [ghost], select: undefined, record: undefined });
  await flush();
  expect(await recordOf(state)).toMatchObject({ runs: [{ runId: 'r' }, { runId: 'ghost' }], reserved: [] });
  grant?.release();
  run.complete();
  await clock.advance(LOOK_MS);
  expect(await runsIn(state)).toEqual([]);
});

test('what a comparison has left since something was sent in it is compared with the record that is read then', async () => {
  const state = memory();
  const { control: here, clock } = tracked({ backend: state });
  const { control: there } = tracked({ backend: state }, clock);
  const run = await begin(here, { runId: 'r' });
  const beside = await begin(here, { ...BESIDE, runId: 'beside' });
  await claimGhost(state);
  here.on('run:aborted', ({ run: { runId } }) => {
    if (runId === 'r') void here.abort({ runId: 'beside' });
  });
  await there.abort({ runId: 'r' });
  expect(await runsIn(state)).toMatchObject([{ runId: 'r' }, { runId: 'beside' }]);
  for (const begun of [run, beside]) begun.complete();
  await flush();
});

test('a stop that a failover has taken, and that the record does not keep again, is sent once', async () => {
  const { state, backend, here } = nodes();
  const run = await begin(here);
  await here.abort({ sessionKey: 's' }, { reason: 'policy' });
  const { stops } = await recordOf(state);
  expect(stops).toHaveLength(1);
  for (const { number: stop } of stops) await state.forget({ sessionKey: 's', stop });
  const before = backend.calls.filter((method) => method === 'stop').length;
  backend.tellGap();
  for (let i = 0; i < 10; i += 1) await flush();
  expect(backend.calls.filter((method) => method === 'stop').length - before).toBeLessThan(3);
  run.complete();
  await flush();
});

test('a read that is behind what this node has seen is read again later, not for ever at once', async () => {
  const state = memory();
  let reads = 0;
  let old: ReturnType<Backend['readSession']> | undefined;
  const lagging = new Proxy<Backend>(state, {
    get: (_, name) => {
      if (name === 'readSession' && old !== undefined) {
        return () => {
          reads += 1;
          return old;
        };
      }
      const value = state[name as keyof Backend];
      return typeof value === 'function' ? value.bind(state) : value;
    },
  });
  const { control, clock } = tracked({ backend: lagging, retention: { ttlMs: 0 } });
  const { control: there } = tracked({ backend: state }, clock);
  const run = await begin(control, { runId: 'r' });
  await claimGhost(state);
  old = state.readSession({ sessionKey: 's', nodeId: '', watch: false });
  // Its notice makes the first node compare: it ends the ghost in the same tick, and what it reads then is older.
  const beside = await begin(there, BESIDE);
  expect(reads).toBeLessThan(10);
  old = undefined;
  await clock.advance(LOOK_MS);
  expect((await runsIn(state)).length).toBe(2);
  for (const begun of [run, beside]) begun.complete();
  await flush();
});
