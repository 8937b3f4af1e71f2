import { strict as assert } from 'node:assert';
import { answered, item, REPORT, recordOf } from './answers.js';
import type { Scenario } from './scenario.js';

/** What a node adds to the record of its own live run: that it has an epilogue, and what it sees of its unwinding. */
export const announcements: readonly Scenario[] = [
  {
    name: 'announced-in-time: a run that has announced an epilogue has one reserved by every stop, from any node',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const fromStart = await here.granted(key, { hasEpilogue: true });
      const later = await here.granted(key, { mode: 'concurrent' });
      assert.equal(answered(await here.announce(later), 'announced').epilogue, undefined);
      const without = await here.granted(key, { mode: 'concurrent' });
      assert.deepEqual(
        (await there.runsOf(key)).map(({ hasEpilogue }) => hasEpilogue),
        [true, true, false],
      );
      const { epilogues, snapshot } = await there.stop(key, [], { select: { sessionKey: key } });
      assert.deepEqual(
        epilogues.map(({ runId }) => runId),
        [fromStart.runId, later.runId],
      );
      assert.deepEqual(
        snapshot?.reserved.map(({ runId, nodeId, token }) => [runId, nodeId, token]),
        epilogues.map(({ runId, token }) => [runId, here.id, token]),
      );
      assert.equal(await there.check(without), false);
    },
  },
  {
    name: 'announced-late: an epilogue that is announced after the stop is reserved, if the lock was not granted since',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      const revoked = await here.locked(key, run);
      assert.deepEqual((await there.stop(key, [item(run)])).epilogues, []);
      await here.unlock(key, revoked);
      const { epilogue, snapshot } = answered(await here.announce(run), 'announced');
      assert.ok(epilogue !== undefined && epilogue > revoked);
      assert.deepEqual(
        snapshot?.reserved.map(({ runId, token }) => [runId, token]),
        [[run.runId, epilogue]],
      );
      answered(await there.lock(key), 'busy');
      await here.locked(key, run, { reserved: epilogue });
    },
  },
  {
    name: 'announced-too-late: after a later grant there is no epilogue, or it would write over what the successor wrote',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      await there.stop(key, [item(run)]);
      await there.unlock(key, await there.locked(key));
      const { epilogue, snapshot } = answered(await here.announce(run), 'announced');
      assert.deepEqual([epilogue, snapshot?.reserved], [undefined, []]);
      const [stored] = snapshot?.runs ?? [];
      assert.equal(stored?.hasEpilogue, true, 'the record says that the question was answered');
      const again = await there.stop(key, [item(run, { hasEpilogue: true })]);
      assert.deepEqual(again.epilogues, []);
    },
  },
  {
    name: 'announced-twice: an announcement that is sent again reserves nothing twice, and gets the same answer',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      await here.announce(run);
      await here.announce(run);
      await there.stop(key, [item(run)]);
      const first = answered(await here.announce(run), 'announced');
      const again = answered(await here.announce(run), 'announced');
      assert.ok(first.epilogue !== undefined);
      assert.equal(again.epilogue, first.epilogue);
      assert.equal(recordOf(again).reserved.length, 1);
    },
  },
  {
    name: 'announced-stale: a run that has ended, is unknown or of another generation announces nothing',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const stale = [
        { ...run, generation: run.generation + 1 },
        { ...run, runId: node.newRunId() },
      ];
      for (const one of stale) {
        const { epilogue } = answered(await node.announce(one), 'stale');
        assert.equal(epilogue, undefined);
      }
      assert.equal((await node.runsOf(key))[0]?.hasEpilogue, false);
      await node.ended(run, { retain: true });
      answered(await node.announce(run), 'stale');
    },
  },
  {
    name: 'report-in-between: what a node says of its run while it is stopping is in the record, for other nodes',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key, { hasEpilogue: true });
      await there.stop(key, [item(run)]);
      answered(await here.announce(run, { hasEpilogue: false, report: REPORT }), 'announced');
      const [stored] = await there.runsOf(key);
      assert.deepEqual([stored?.status, stored?.report], ['stopping', REPORT]);
      assert.equal(stored?.hasEpilogue, true, 'a report takes no epilogue back');
      assert.deepEqual((await there.run(run.runId, key))?.report, REPORT);
      const later = { ...REPORT, leftovers: [], elapsedMs: 40 };
      await here.announce(run, { report: later });
      assert.deepEqual((await there.runsOf(key))[0]?.report, later, 'the last one counts');
    },
  },
];
