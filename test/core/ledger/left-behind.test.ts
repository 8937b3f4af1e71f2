import type { BeginResult } from 'runfence';
import { memory, type Notices, type Snapshot, type StoredRun } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { recordOf } from '../../support/records.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const BACKEND_MS = 2_000;
/** What was not answered is compared again after so long. */
const LOOK_MS = 1_000;
/** For so long a stop of all nodes is kept. */
const LISTED_MS = 300_000;

/** Two nodes on one state, each behind a backend that may fail. */
function nodes(ttlMs = 60_000) {
  const state = memory();
  const backend = new FaultyBackend({ over: state, scope: 'cluster' });
  const { control: here, clock, errors } = tracked({ backend, retention: { ttlMs } });
  const { control: there } = tracked({ backend: new FaultyBackend({ over: state, scope: 'cluster' }) }, clock);
  return { state, backend, here, there, clock, errors };
}

test('a claim that comes again when its run is forgotten is ended as soon as its node hears of it', async () => {
  const { state, backend, here, there, clock } = nodes(0);
  backend.duplicateNext('claim');
  const run = await begin(here);
  run.complete();
  await clock.advance(LOOK_MS);
  backend.release('claim');
  await flush();
  expect((await recordOf(state)).runs).toMatchObject([{ runId: run.id, status: 'running' }]);
  const next = watching(there.runs.begin({ sessionKey: 's', startWhen: 'quiet' }));
  await clock.advance(LOOK_MS);
  const result = next.result as BeginResult | undefined;
  const begun = result?.status === 'queued' ? await result.started : result;
  if (begun?.status !== 'started') throw new Error(`The next run is ${begun?.status}.`);
  begun.run.complete();
  await flush();
  expect((await recordOf(state)).runs).toEqual([]);
});

test('of a grant that no one was told of no one is told that it was released', async () => {
  const { state, backend, here, clock } = nodes();
  const told: string[] = [];
  for (const event of ['lock:granted', 'lock:released', 'lock:lost'] as const) here.on(event, () => told.push(event));
  backend.hold('lock', 'after');
  const grant = here.locks.acquire('s', { timeoutMs: 10 }).catch((error: { code?: unknown }) => error.code);
  await clock.advance(10);
  expect(await grant).toBe('LOCK_TIMEOUT');
  backend.failNext('unlock');
  backend.release('lock');
  await flush();
  expect((await recordOf(state)).holder).toBeDefined();
  await clock.advance(LOOK_MS);
  expect((await recordOf(state)).holder).toBeUndefined();
  expect(told).toEqual([]);
});

test('a run that another one has ended is not reported as quiet', async () => {
  const { state, here, there, clock } = nodes();
  const run = await begin(there, { runId: 'r' });
  run.epilogue(() => {});
  await flush();
  const receipt = await here.abort({ runId: 'r' });
  const quiet = watching(receipt.whenQuiet());
  await clock.advance(1_000);
  const [stored] = (await recordOf(state)).runs;
  if (stored === undefined) throw new Error('The run is not there.');
  // As one that needs the session does for a node whose lease has ended.
  const { sessionKey, runId, generation, nodeId } = stored;
  const asked = { sessionKey, runId, generation, nodeId: 'other', seen: 0 };
  state.end({ ...asked, status: 'aborted', reason: 'user', report: undefined, retain: true });
  await flush();
  expect(quiet.result).toMatchObject({
    quiet: false,
    runs: [{ runId: 'r', nodeId, state: 'unreported', leftovers: ['work'] }],
  });
  run.complete();
});

test('a stop of all nodes whose answer came too late is forgotten like any other', async () => {
  const { state, backend, here, clock, errors } = nodes();
  backend.hold('stopEverywhere', 'after');
  const receipt = watching(here.abort({ tag: 'red' }));
  await clock.advance(BACKEND_MS);
  expect(receipt.result).toMatchObject({ recorded: 'unreachable' });
  expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
  expect(await state.readStops()).toMatchObject({ stops: [{ selector: { tag: 'red' } }] });
  backend.release('stopEverywhere');
  await clock.advance(LISTED_MS);
  expect(await state.readStops()).toMatchObject({ stops: [] });
});

test('a run whose own result stands here, and that was stopped in the record, is ended there as aborted, once', async () => {
  const { state, backend, here, there, clock } = nodes();
  const outcome = watching(
    here.run({ sessionKey: 's', runId: 'r' }, async () => {
      backend.isDeaf = true;
      for (const method of ['end', 'readSession'] as const) backend.hold(method);
      await there.abort({ runId: 'r' });
      return 'answer';
    }),
  );
  await clock.advance(2 * BACKEND_MS);
  expect(outcome.result).toEqual({ status: 'completed', value: 'answer' });
  backend.calls.length = 0;
  for (const method of ['end', 'readSession'] as const) backend.release(method);
  // Sent again at each answer, it would be sent for ever.
  const end = backend.end.bind(backend);
  backend.end = (request) => {
    backend.isDown = backend.calls.length > 20;
    return end(request);
  };
  await clock.advance(LOOK_MS);
  expect(backend.calls.filter((method) => method === 'end')).toHaveLength(1);
  expect((await recordOf(state)).runs).toEqual([]);
});

test('an epilogue that begins in the tick in which its node hears of the stop keeps its lock until it has saved', async () => {
  const state = memory();
  const { control: here, clock } = tracked({ backend: state });
  const { control: there } = tracked({ backend: state }, clock);
  const run = await begin(here, { runId: 'r' });
  const saved = gate();
  run.epilogue(() => saved.promise);
  // It asks as soon as the run is cut, and its answer is a newer record than the one that said so.
  const waiting = await queued(here, { whenBusy: 'enqueue' });
  const next = await begin(there);
  run.complete();
  const { holder } = await recordOf(state);
  expect(holder).toMatchObject({ runId: 'r', isEpilogue: true });
  expect(here.runs.get('r')).toMatchObject({ status: 'stopping' });
  const written = watching(next.commit(() => 'written'));
  await flush();
  expect([(await recordOf(state)).holder, written.state]).toEqual([holder, 'pending']);
  saved.open();
  await flush();
  expect(written.result).toBe('written');
  next.complete();
  const last = await waiting.started;
  if (last.status !== 'started') throw new Error(`The last run is ${last.status}.`);
  last.run.complete();
});

describe('a backend whose record has what was given back still', () => {
  test.each(['unlock', 'end'] as const)(
    'is sent the %s again after a pause, and not for ever in one tick',
    async (call) => {
      const state = memory();
      let notices: Notices | undefined;
      const subscribe = state.subscribe.bind(state);
      state.subscribe = (nodeId, given) => {
        notices ??= given;
        return subscribe(nodeId, given);
      };
      const { control: here, clock } = tracked({ backend: state });
      const { control: there } = tracked({ backend: state }, clock);
      const run = await begin(there);
      const [stored] = (await recordOf(state)).runs;
      run.complete();
      const nodeId = here.aborts.runtime.nodeId;
      let version = 1_000;
      let calls = 0;
      let isTrue = false;
      const record = (): Snapshot => {
        version += 1;
        const ghost = isTrue || calls > 50 ? [] : [{ nodeId, runId: 'ghost', token: 7, generation: 7 }];
        const runs = call === 'end' ? ghost.map((its) => ({ ...(stored as StoredRun), ...its })) : [];
        return {
          sessionKey: 's',
          version,
          runs,
          holder: undefined,
          reserved: call === 'unlock' ? ghost : [],
          stops: [],
        };
      };
      const answer = () => {
        calls += 1;
        const snapshot = record();
        return { version: snapshot.version, snapshot };
      };
      state.unlock = () => ({ wasHeld: true, ...answer() });
      state.end = () => ({ kind: 'ended', run: undefined, ...answer() });
      state.readSession = record;
      notices?.changed('s', 1_000, record());
      await flush();
      expect(calls).toBe(1);
      await clock.advance(LOOK_MS);
      expect(calls).toBe(2);
      await clock.advance(2 * LOOK_MS);
      expect(calls).toBe(4);
      isTrue = true;
      await clock.advance(5 * LOOK_MS);
      expect(calls).toBe(4);
    },
  );
});
