import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

describe('whenQuiet', () => {
  test('waits for the work to unwind, and says how long it took', async () => {
    const { control, clock } = tracked();
    const stuck = gate();
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, () => stuck.promise);
    const receipt = await control.abort({ runId: 'r' });
    const quiet = receipt.whenQuiet();
    await clock.advance(40);
    stuck.open();
    const report = await quiet;
    expect(report).toMatchObject({ quiet: true, elapsedMs: 40 });
    expect(report.runs).toMatchObject([
      { runId: 'r', state: 'quiet', lock: 'none', epilogue: 'none', leftovers: [], fencedEffects: 0, elapsedMs: 40 },
    ]);
    await outcome;
  });

  test('names the leftovers at the end of the grace', async () => {
    const { control, clock } = tracked();
    const stuck = gate();
    const outcome = control.run({ sessionKey: 's', runId: 'r', graceMs: 100 }, async (run) => {
      run.attach({ name: 'browser', stop: () => stuck.promise });
      await Promise.all([
        stuck.promise,
        run
          .gate(() => stuck.promise, { name: 'search' })()
          .catch(() => {}),
      ]);
    });
    const receipt = await control.abort({ runId: 'r' });
    const quiet = receipt.whenQuiet();
    await clock.advance(100);
    const report = await quiet;
    expect(report).toMatchObject({ quiet: false, elapsedMs: 100, runs: [{ state: 'leftovers', elapsedMs: 100 }] });
    expect(report.runs[0]?.leftovers.toSorted()).toEqual(['browser', 'search', 'work']);
    stuck.open();
    await outcome;
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true, runs: [{ leftovers: [] }] });
  });

  test('waits for the longest grace of the runs', async () => {
    const { control, clock } = tracked();
    const stuck = gate();
    for (const graceMs of [100, 300, 200]) {
      await control.start({ sessionKey: 's', graceMs, whenBusy: 'concurrent' }, () => stuck.promise);
    }
    let isOver = false;
    void (await control.abort('all')).whenQuiet().then(() => {
      isOver = true;
    });
    await clock.advance(299);
    expect(isOver).toBe(false);
    await clock.advance(1);
    expect(isOver).toBe(true);
    stuck.open();
    await flush();
  });

  for (const timeoutMs of [0, -1, Number.NaN]) {
    test(`does not wait with timeoutMs ${timeoutMs}`, async () => {
      const { control } = tracked();
      const stuck = gate();
      const outcome = control.run({ sessionKey: 's' }, () => stuck.promise);
      const receipt = await control.abort('all');
      expect(await receipt.whenQuiet({ timeoutMs })).toMatchObject({ quiet: false, runs: [{ leftovers: ['work'] }] });
      stuck.open();
      await outcome;
    });
  }

  test('waits for ever with Infinity, and keeps the process alive only while it has a timer', async () => {
    const { control, clock } = tracked();
    const stuck = gate();
    const outcome = control.run({ sessionKey: 's' }, () => stuck.promise);
    const receipt = await control.abort('all');
    const quiet = receipt.whenQuiet({ timeoutMs: Number.POSITIVE_INFINITY });
    await clock.advance(10_000_000);
    stuck.open();
    expect(await quiet).toMatchObject({ quiet: true, elapsedMs: 10_000_000 });
    await outcome;
  });

  test('holds the timer while somebody waits, and lets it go after', async () => {
    const { control, clock } = tracked();
    const stuck = gate();
    const outcome = control.run({ sessionKey: 's', graceMs: 50 }, () => stuck.promise);
    const receipt = await control.abort('all');
    const quiet = receipt.whenQuiet();
    expect(clock.refed).toBe(1);
    await clock.advance(50);
    await quiet;
    expect(clock.refed).toBe(0);
    stuck.open();
    await outcome;
  });

  for (const options of [{ timeoutMs: '5' }, { timeout: 5 }, null, 5]) {
    test(`rejects ${JSON.stringify(options)}`, async () => {
      const { control } = tracked();
      const receipt = await control.abort('all');
      await expect(receipt.whenQuiet(options as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    });
  }
});

test('a refused effect is counted, and an error after the cut is named', async () => {
  const { control, errors } = tracked();
  const broken = new Error('rollback failed');
  const outcome = control.run({ sessionKey: 's' }, async (run) => {
    const send = run.fence(() => {});
    await untilCut(run);
    send();
    send();
    throw broken;
  });
  const receipt = await control.abort('all');
  const { runs } = await receipt.whenQuiet();
  expect(runs).toMatchObject([{ state: 'quiet', fencedEffects: 2, error: broken }]);
  expect(errors).toEqual([broken]);
  await outcome;
});

test('the work’s own abort error is no error', async () => {
  const { control, errors } = tracked();
  const sdk = Object.assign(new Error('Request was aborted.'), { name: 'APIUserAbortError' });
  const outcome = control.run({ sessionKey: 's' }, async (run) => {
    await untilCut(run);
    throw sdk;
  });
  const { runs } = await (await control.abort('all')).whenQuiet();
  expect(runs[0]).not.toHaveProperty('error');
  expect(errors).toEqual([]);
  await outcome;
});

describe('across nodes', () => {
  test('an abort by id cuts the other node’s run inside the call, and brings what it reports', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const outcome = there.control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    const promise = here.control.abort({ runId: 'r' });
    expect(there.control.runs.get('r')?.status).toBe('stopping');
    const receipt = await promise;
    expect(receipt).toMatchObject({ result: 'aborted', runIds: ['r'], queuedRunIds: [], recorded: 'local' });
    const { nodeId } = there.control.runs.get('r') ?? {};
    expect(await receipt.whenQuiet()).toMatchObject({
      quiet: true,
      runs: [{ runId: 'r', nodeId, state: 'quiet', leftovers: [] }],
    });
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
  });

  test('what the other node’s run leaves behind is in its report, and the receipt waits for the rest', async () => {
    const shared = memory();
    const here = tracked({ backend: shared });
    const there = tracked({ backend: new FaultyBackend({ over: shared, scope: 'cluster' }) }, here.clock);
    const run = await begin(there.control, { runId: 'r' });
    const receipt = await here.control.abort({ runId: 'r' });
    const first = receipt.whenQuiet({ timeoutMs: 250 });
    await here.clock.advance(250);
    expect(await first).toMatchObject({
      quiet: false,
      runs: [{ runId: 'r', nodeId: there.control.runs.get('r')?.nodeId, state: 'leftovers', leftovers: ['work'] }],
    });
    const waiting = receipt.whenQuiet();
    run.complete();
    expect(await waiting).toMatchObject({ quiet: true, runs: [{ state: 'quiet', leftovers: [] }] });
  });

  test('a node that does not say in time has not reported', async () => {
    const shared = memory();
    const mute = new FaultyBackend({ over: shared });
    const here = tracked({ backend: shared });
    const there = tracked({ backend: mute }, here.clock);
    const run = await begin(there.control, { runId: 'r', graceMs: 1_000 });
    mute.isDown = true;
    const receipt = await here.control.abort({ runId: 'r' });
    const waiting = receipt.whenQuiet();
    await here.clock.advance(1_000);
    expect(await waiting).toMatchObject({ quiet: false, runs: [{ runId: 'r', state: 'unreported' }] });
    mute.isDown = false;
    run.complete();
    await here.clock.advance(1_000);
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test('a stale generation stops nothing there', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const outcome = there.control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    expect(await here.control.abort({ runId: 'r', generation: 99 })).toMatchObject({ result: 'stale-target' });
    expect(there.control.runs.get('r')?.status).toBe('running');
    await there.control.abort('all');
    await outcome;
    expect(await here.control.abort({ runId: 'r' })).toMatchObject({ result: 'already-ended' });
  });

  test('a session stop cuts the runs and drops the queue of both nodes', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const outcome = here.control.run({ sessionKey: 's', runId: 'local' }, untilCut);
    await there.control.start({ sessionKey: 's', runId: 'remote', whenBusy: 'concurrent' }, untilCut);
    const queued = await there.control.start({ sessionKey: 's', runId: 'queued', whenBusy: 'enqueue' }, untilCut);
    const receipt = await here.control.abort({ sessionKey: 's' });
    expect(receipt.runIds).toEqual(['local', 'remote']);
    expect(await ('outcome' in queued && queued.outcome)).toMatchObject({ status: 'aborted', reason: 'user' });
    await flush();
    expect(there.control.runs.session('s')).toMatchObject({ hasActiveRun: false, queuedRunIds: [] });
    await outcome;
  });

  test('a session stop that keeps the queue keeps the other node’s too', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const outcome = here.control.run({ sessionKey: 's', runId: 'local' }, untilCut);
    await there.control.start({ sessionKey: 's', runId: 'queued', whenBusy: 'enqueue' }, untilCut);
    await here.control.abort({ sessionKey: 's' }, { queued: 'keep' });
    await outcome;
    await flush();
    expect(there.control.runs.get('queued')?.status).toBe('running');
    await there.control.abort('all');
  });

  test('a stranger’s session stop leaves both nodes alone (A52)', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const owner = { userId: 'ada' };
    const outcome = there.control.run({ sessionKey: 's', runId: 'r', owner }, untilCut);
    await there.control.start({ sessionKey: 's', runId: 'q', owner, whenBusy: 'enqueue' }, untilCut);
    for (const selector of [{ sessionKey: 's' }, { runId: 'r' }]) {
      const receipt = await here.control.abort(selector, { requester: { userId: 'eve' } });
      expect(receipt).toMatchObject({ result: 'forbidden', runIds: [] });
    }
    expect(there.control.runs.session('s')).toMatchObject({ activeRunIds: ['r'], queuedRunIds: ['q'] });
    await there.control.abort('all');
    await outcome;
  });

  test('a tag selects the other node’s runs of the session too (A54)', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    await there.control.start({ sessionKey: 's', runId: 'x', tags: ['x'] }, untilCut);
    await there.control.start({ sessionKey: 's', runId: 'y', tags: ['y'], whenBusy: 'concurrent' }, untilCut);
    const receipt = await here.control.abort({ sessionKey: 's', tag: 'x' });
    expect(receipt.runIds).toEqual(['x']);
    expect(there.control.runs.session('s').activeRunIds).toEqual(['y']);
    await there.control.abort('all');
  });

  test('a cluster’s backend records the stop as cluster', async () => {
    const slow = new FaultyBackend({ scope: 'cluster' });
    const { control } = tracked({ backend: slow });
    const outcome = control.run({ sessionKey: 's' }, untilCut);
    await flush();
    expect(await control.abort({ sessionKey: 's' })).toMatchObject({ result: 'aborted', recorded: 'cluster' });
    await outcome;
  });
});
