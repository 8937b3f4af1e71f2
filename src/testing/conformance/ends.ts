import { strict as assert } from 'node:assert';
import { answered, idsOf, item } from './node.js';
import type { Scenario } from './scenario.js';

/** What is known of runs while they live, when they have ended, and when they are forgotten. */
export const ends: readonly Scenario[] = [
  {
    name: 'read: a session shows its runs that have not ended, stopping ones too, on every node',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      assert.deepEqual(await there.runsOf(key), []);
      const [first, second] = [await here.granted(key), await there.granted(key, { mode: 'concurrent' })];
      await here.stop(key, [item(first)]);
      for (const node of [here, there]) {
        assert.deepEqual(idsOf(await node.runsOf(key)), idsOf([first, second]));
      }
      await here.end(first, { status: 'aborted', retain: true });
      assert.deepEqual(idsOf(await there.runsOf(key)), [second.runId]);
    },
  },
  {
    name: 'read: a run is found by its id alone, a retained one with its outcome',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key, { tags: ['t'], kind: 'cron' });
      assert.equal(await there.run(there.newRunId()), undefined);
      assert.equal((await there.run(run.runId))?.status, 'running');
      await here.end(run, { status: 'failed', retain: true });
      const stored = await there.run(run.runId);
      assert.deepEqual([stored?.status, stored?.kind, stored?.tags], ['failed', 'cron', ['t']]);
    },
  },
  {
    name: 'end: a stopped run ends with its reason kept, and another generation of the id ends nothing',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      await node.end({ ...run, generation: run.generation + 1 });
      assert.equal(await node.check(run), true);
      await node.stop(key, [item(run)], { reason: 'timeout' });
      await node.end(run, { status: 'aborted', retain: true });
      const stored = await node.run(run.runId);
      assert.deepEqual([stored?.status, stored?.reason], ['aborted', 'timeout']);
    },
  },
  {
    name: 'end: said twice, or of a run that is unknown, it changes nothing',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      await node.end(run);
      const next = await node.granted(key);
      await node.end(run);
      await node.end({ ...run, runId: node.newRunId() });
      assert.equal(await node.check(next), true);
    },
  },
  {
    name: 'end: a grant outlives its run, until it is given back',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const token = await node.locked(key, run);
      await node.end(run);
      assert.equal((await node.holder(key))?.token, token);
      assert.equal(await node.unlock(key, token), true);
    },
  },
  {
    name: 'forget: a run that has not ended is not forgotten, and neither are others of its session',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const ended = await node.granted(key, { mode: 'concurrent' });
      const kept = await node.granted(key, { mode: 'concurrent' });
      await node.end(ended, { retain: true });
      await node.end(kept, { retain: true });
      await node.backend.forget({ sessionKey: key, runId: run.runId });
      await node.backend.forget({ sessionKey: key, runId: ended.runId });
      assert.equal(await node.check(run), true);
      answered(await node.claim(key, { runId: kept.runId }), 'duplicate');
    },
  },
];
