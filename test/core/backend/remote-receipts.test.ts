import type { RunControlOptions, Selector } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };

/** Two nodes; the notices and answers of one may fail. */
function nodes(options: Omit<RunControlOptions, 'backend'> = {}) {
  const state = memory();
  const backend = new FaultyBackend({ over: state, scope: 'cluster' });
  const { control: here, clock } = tracked({
    ...options,
    backend: new FaultyBackend({ over: state, scope: 'cluster' }),
  });
  const { control: there } = tracked({ ...options, backend }, clock);
  return { state, backend, here, there, clock };
}

describe('the receipt of a stop of a run of another node', () => {
  test('says that it was stopped, and waits until its own node has reported it as quiet', async () => {
    const { here, there, clock } = nodes();
    const run = await begin(there, { runId: 'r' });
    const receipt = await here.abort({ runId: 'r' });
    expect(receipt).toMatchObject({ result: 'aborted', runIds: ['r'], queuedRunIds: [], recorded: 'cluster' });
    const quiet = watching(receipt.whenQuiet());
    await clock.advance(150);
    expect(quiet.state).toBe('pending');
    run.complete();
    await flush();
    expect(quiet.result).toMatchObject({ quiet: true, runs: [{ runId: 'r', state: 'quiet', elapsedMs: 150 }] });
  });

  test('brings what that node says of it: refused effects, the lock, the epilogue', async () => {
    const { here, there } = nodes();
    const run = await begin(there, { runId: 'r' });
    const grant = await there.locks.acquire('s', { holder: run });
    run.epilogue(() => {});
    const send = run.fence(() => expect.unreachable());
    await flush();
    const receipt = await here.abort({ sessionKey: 's' });
    await flush();
    send();
    send();
    run.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([
      { state: 'quiet', lock: 'released', epilogue: 'done', fencedEffects: 2, leftovers: [] },
    ]);
    expect(grant.isHeld()).toBe(false);
  });

  test('names what is left there when the grace is over, and no error', async () => {
    const { here, there, clock } = nodes();
    const run = await begin(there, { runId: 'r', graceMs: 1_000 });
    const tool = run.attach({ name: 'tool', stop: () => new Promise(() => {}) });
    const receipt = await here.abort({ runId: 'r' });
    const report = watching(receipt.whenQuiet());
    await clock.advance(999);
    expect(report.state).toBe('pending');
    await clock.advance(1);
    expect(report.result).toMatchObject({
      quiet: false,
      elapsedMs: 1_000,
      runs: [{ runId: 'r', state: 'leftovers', leftovers: ['work', 'tool'] }],
    });
    tool.release();
    run.complete();
  });

  test('names the epilogue of a run whose node has died: nobody knows whether it saved', async () => {
    const { state, here, there, backend, clock } = nodes();
    const run = await begin(there, { runId: 'r', graceMs: 1_000 });
    run.epilogue(() => {});
    await flush();
    backend.isDown = true;
    backend.isDeaf = true;
    const receipt = await here.abort({ runId: 'r' });
    const early = watching(receipt.whenQuiet());
    await clock.advance(1_000);
    expect(early.result).toMatchObject({ quiet: false, runs: [{ state: 'unreported', epilogue: 'pending' }] });
    const { generation } = run;
    const buried = { sessionKey: 's', nodeId: 'another', seen: 0, runId: 'r', generation, reason: undefined };
    state.end({ ...buried, status: 'aborted', report: undefined, retain: true });
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'unreported', epilogue: 'skipped' }]);
    backend.heal();
    await flush();
    run.complete();
  });

  test('says unreported of a node that says nothing', async () => {
    const { here, there, backend, clock } = nodes();
    const run = await begin(there, { runId: 'r', graceMs: 1_000 });
    backend.isDown = true;
    backend.isDeaf = true;
    const receipt = await here.abort({ runId: 'r' });
    const report = watching(receipt.whenQuiet());
    await clock.advance(1_000);
    expect(report.result).toMatchObject({ quiet: false, runs: [{ runId: 'r', state: 'unreported' }] });
    backend.heal();
    await flush();
    run.complete();
  });

  test('is the same for who stops it once more, which says that it was stopping already', async () => {
    const { here, there } = nodes();
    const run = await begin(there, { runId: 'r' });
    await here.abort({ runId: 'r' });
    const again = await here.abort({ runId: 'r' }, { graceMs: 0 });
    expect(again).toMatchObject({ result: 'already-stopping', runIds: ['r'] });
    const quiet = watching(again.whenQuiet());
    await flush();
    expect(quiet.state).toBe('pending');
    run.complete();
    await flush();
    expect(quiet.result).toMatchObject({ quiet: true, runs: [{ runId: 'r', state: 'quiet' }] });
    expect(await here.abort({ runId: 'r' })).toMatchObject({ result: 'already-ended' });
    expect(await here.abort({ runId: 'unknown' })).toMatchObject({ result: 'nothing-running', runIds: [] });
  });

  test('tells a stranger that it is forbidden, and stops nothing', async () => {
    const { here, there } = nodes();
    const run = await begin(there, { runId: 'r', owner: ada });
    for (const selector of [{ runId: 'r' }, { sessionKey: 's' }]) {
      expect(await here.abort(selector, { requester: eve })).toMatchObject({ result: 'forbidden', runIds: [] });
    }
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });

  test('tells who names a generation that is over that his target is stale', async () => {
    const { here, there } = nodes();
    const run = await begin(there, { runId: 'r' });
    const receipt = await here.abort({ runId: 'r', generation: run.generation + 1 });
    expect(receipt).toMatchObject({ result: 'stale-target' });
    expect(run.isCurrent()).toBe(true);
    expect(await here.abort({ runId: 'r', generation: run.generation })).toMatchObject({ result: 'aborted' });
    run.complete();
  });
});

describe('a stop of a session reaches the runs of both nodes', () => {
  test('and its receipt waits for both', async () => {
    const { here, there } = nodes();
    const own = await begin(here, { runId: 'own' });
    const foreign = await begin(there, { runId: 'foreign', whenBusy: 'concurrent' });
    const receipt = await here.abort({ sessionKey: 's' });
    expect(receipt).toMatchObject({ result: 'aborted', runIds: ['own', 'foreign'] });
    const quiet = watching(receipt.whenQuiet());
    own.complete();
    await flush();
    expect(quiet.state).toBe('pending');
    foreign.complete();
    await flush();
    expect(quiet.result).toMatchObject({ quiet: true, runs: [{ runId: 'own' }, { runId: 'foreign' }] });
  });

  test('but not what leaves the queue because of it, if the queue is to be kept', async () => {
    const { here, there, clock } = nodes();
    const own = await begin(here, { runId: 'own' });
    const foreign = await begin(there, { runId: 'foreign', whenBusy: 'concurrent' });
    const behind = await queued(there, { runId: 'behind' });
    const receipt = await here.abort({ sessionKey: 's' }, { queued: 'keep' });
    expect(receipt).toMatchObject({ result: 'aborted', runIds: ['own', 'foreign'] });
    await clock.advance(100);
    expect(behind.run.status).toBe('running');
    for (const run of [own, foreign, behind.run]) run.complete();
  });

  test('also where it was sent twice: its answer is the first one', async () => {
    const state = memory();
    const backend = new FaultyBackend({ over: state });
    const { control: here, clock } = tracked({ backend });
    const { control: there } = tracked({ backend: state }, clock);
    const foreign = await begin(there, { runId: 'foreign' });
    backend.duplicateNext('stop');
    const receipt = await here.abort({ sessionKey: 's' });
    backend.release('stop');
    await flush();
    expect(receipt).toMatchObject({ result: 'aborted', runIds: ['foreign'] });
    foreign.complete();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });
});

describe('a stop of other sessions, too, reaches every node', () => {
  const selectors: Readonly<Record<string, Selector | 'all'>> = {
    'of an owner': { owner: ada },
    'of a kind': { kind: 'cron' },
    'of a tag': { tag: 't' },
    'of all': 'all',
  };

  test.each(Object.entries(selectors))(
    '%s: running and queued runs, and its receipt waits for the running ones',
    async (_, selector) => {
      const { here, there } = nodes();
      const options = { owner: ada, kind: 'cron', tags: ['t'] };
      const own = await begin(here, { ...options, sessionKey: 'a', runId: 'own' });
      const foreign = await begin(there, { ...options, sessionKey: 'b', runId: 'foreign' });
      const behind = await queued(there, { ...options, sessionKey: 'b', runId: 'behind' });
      const receipt = await here.abort(selector, { reason: 'policy' });
      expect(receipt).toMatchObject({ result: 'aborted', runIds: ['own', 'foreign'], recorded: 'cluster' });
      await flush();
      expect([own, foreign].map((run) => run.reason)).toEqual(['policy', 'policy']);
      expect(await behind.started).toMatchObject({ status: 'aborted', reason: 'policy' });
      own.complete();
      foreign.complete();
      expect(await receipt.whenQuiet()).toMatchObject({ quiet: true, runs: [{ runId: 'own' }, { runId: 'foreign' }] });
    },
  );

  test.each(Object.entries(selectors))(
    '%s: a run that ends by itself just now is named only if it was stopped first',
    async (_, selector) => {
      for (const isFirst of [true, false]) {
        const state = memory();
        const slow = new FaultyBackend({ over: state, scope: 'cluster' });
        const deaf = new FaultyBackend({ over: state, scope: 'cluster' });
        const { control: here, clock } = tracked({ backend: slow });
        const { control: there } = tracked({ backend: deaf }, clock);
        const run = await begin(there, { runId: 'r', owner: ada, kind: 'cron', tags: ['t'] });
        // Its own node has not heard of the list when it ends.
        deaf.isDeaf = true;
        slow.hold('readActive', 'after');
        const receipt = here.abort(selector, { reason: 'policy' });
        await flush();
        if (isFirst) slow.release('readActive');
        await flush();
        run.complete();
        await flush();
        slow.release('readActive');
        const expected = isFirst ? { status: 'aborted', reason: 'policy' } : { status: 'completed' };
        expect(await receipt).toMatchObject({
          result: isFirst ? 'aborted' : 'nothing-running',
          runIds: isFirst ? ['r'] : [],
          recorded: 'cluster',
        });
        expect(await Promise.all([here.wait('r'), there.wait('r')])).toMatchObject([expected, expected]);
        run.complete();
        await flush();
      }
    },
  );

  test('and leaves what does not match, and what its requester may not stop', async () => {
    const { here, there } = nodes();
    const other = await begin(there, { owner: eve, kind: 'chat' });
    for (const requester of [undefined, ada]) {
      expect(await here.abort({ owner: ada }, requester === undefined ? {} : { requester })).toMatchObject({
        result: 'nothing-running',
      });
    }
    expect(await here.abort({ kind: 'chat' }, { requester: ada })).toMatchObject({ result: 'forbidden', runIds: [] });
    await flush();
    expect(other.isCurrent()).toBe(true);
    other.complete();
  });

  test('and says unreachable if the backend does not take it, with what it has stopped here', async () => {
    const state = memory();
    const backend = new FaultyBackend({ over: state, scope: 'cluster' });
    const { control: here, clock } = tracked({ backend });
    const { control: there } = tracked({ backend: state }, clock);
    const own = await begin(here, { runId: 'own' });
    const foreign = await begin(there, { sessionKey: 'b' });
    backend.failNext('stopEverywhere');
    expect(await here.abort('all')).toMatchObject({ result: 'aborted', runIds: ['own'], recorded: 'unreachable' });
    expect(foreign.isCurrent()).toBe(true);
    own.complete();
    foreign.complete();
  });
});

test('a run whose record is gone is lost, unless the backend still knows how it ended', async () => {
  for (const retain of [true, false]) {
    const state = memory();
    const backend = new FaultyBackend({ over: state });
    const { control: here } = tracked({ backend });
    const work = gate();
    const outcome = here.run({ sessionKey: 's', runId: 'r' }, () => work.promise);
    await flush();
    const { generation = 0 } = here.runs.get('r') ?? {};
    // As an operator of the backend, or the burial of a node that was taken for dead.
    const end = { sessionKey: 's', nodeId: 'another', seen: 0, runId: 'r', generation, report: undefined } as const;
    await state.end({ ...end, status: 'aborted', reason: 'policy', retain });
    await flush();
    expect(await outcome).toMatchObject({ status: 'aborted', reason: retain ? 'policy' : 'heartbeat-lost' });
    work.open();
    await flush();
  }
});
