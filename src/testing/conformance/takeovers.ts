import { strict as assert } from 'node:assert';
import { answered, item, recordOf } from './answers.js';
import type { Scenario } from './scenario.js';

/** A claim that takes over from other runs: in one operation, or not at all. */
export const takeovers: readonly Scenario[] = [
  {
    name: 'takeover: a claim marks the runs that it replaces in its own operation, and takes their place',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const first = await here.granted(key);
      const next = await there.granted(key, { replaces: [item(first)] });
      assert.ok(next.generation > first.generation);
      assert.deepEqual([await there.check(first), await here.check(next)], [false, true]);
      const [old, young] = recordOf(next).runs;
      assert.deepEqual([old?.runId, old?.status, old?.reason], [first.runId, 'stopping', 'superseded']);
      assert.deepEqual([old?.supersededBy, young?.supersededBy], [next.runId, undefined]);
    },
  },
  {
    name: 'takeover-by-identity: a run is replaced by its generation: another one of its id stays',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      answered(await node.claim(key, { replaces: [item({ ...run, generation: run.generation + 1 })] }), 'busy');
      answered(await node.claim(key, { replaces: [item({ ...run, runId: node.newRunId() })] }), 'busy');
      assert.equal(await node.check(run), true);
    },
  },
  {
    name: 'takeover-keeps-reason: a run that was stopped before keeps its reason',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      await here.stop(key, [item(run)], { reason: 'timeout' });
      const [old] = recordOf(await there.granted(key, { replaces: [item(run)] })).runs;
      assert.deepEqual([old?.status, old?.reason], ['stopping', 'timeout']);
    },
  },
  {
    name: 'busy-marks-nothing: a takeover that is busy stops no run, revokes no grant and reserves no epilogue',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const first = await here.granted(key, { hasEpilogue: true });
      const token = await here.locked(key, first);
      const second = await here.granted(key, { mode: 'concurrent' });
      const busy = answered(await there.claim(key, { replaces: [item(first, { revoke: token })] }), 'busy');
      assert.deepEqual(
        busy.snapshot.runs.map(({ status }) => status),
        ['running', 'running'],
      );
      assert.deepEqual([busy.snapshot.holder?.token, busy.snapshot.reserved], [token, []]);
      assert.deepEqual([await here.check(first), await here.check(second)], [true, true]);
    },
  },
  {
    name: 'not-quiet-marks-nothing: a takeover that waits for quiet stops no run before it is granted',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const stopping = await here.granted(key);
      await here.stop(key, [item(stopping)]);
      const running = await here.granted(key);
      answered(await there.claim(key, { whenQuiet: true, replaces: [item(running)] }), 'not-quiet');
      assert.equal(await here.check(running), true);
    },
  },
  {
    name: 'refused-marks-nothing: a duplicate and a stopped claim mark nothing',
    run: async (bench) => {
      const [node, other] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await node.granted(key);
      answered(await node.claim(key, { runId: run.runId, replaces: [item(run)] }), 'duplicate');
      assert.equal(await node.check(run), true);
      const runId = other.newRunId();
      await node.record(key, { selector: { sessionKey: key, runId }, intent: true });
      answered(await other.claim(key, { runId, replaces: [item(run)] }), 'stopped');
      assert.equal(await node.check(run), true);
    },
  },
  {
    name: 'takeover-at-once: of two nodes that take over from the same run at once, one is granted beside no other',
    run: async (bench) => {
      const nodes = [await bench.node(), await bench.node()];
      for (let round = 0; round < bench.rounds(20); round++) {
        const key = bench.key();
        const run = await (nodes[round % 2] ?? assert.fail()).granted(key);
        const answers = await Promise.all(nodes.map((node) => node.claim(key, { replaces: [item(run)] })));
        assert.deepEqual(answers.map(({ kind }) => kind).sort(), ['busy', 'granted']);
        const runs = (await nodes[0]?.runsOf(key)) ?? [];
        assert.deepEqual(
          runs.map(({ status }) => status),
          ['stopping', 'running'],
        );
      }
    },
  },
];
