import { strict as assert } from 'node:assert';
import { answered, idsOf, item } from './node.js';
import type { Scenario } from './scenario.js';

const ADA = { userId: 'ada' };

/** What a claim checks, in its order: duplicate, stopped, busy, not quiet. */
export const claims: readonly Scenario[] = [
  {
    name: 'claim: an id that is taken is a duplicate, and the answer is the first run as it was claimed',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const runId = here.newRunId();
      const first = await here.granted(key, { runId, kind: 'cron', owner: ADA, tags: ['a', 'b'], fingerprint: 'f' });
      const { run } = answered(await there.claim(key, { runId, kind: 'chat' }), 'duplicate');
      const { generation } = first;
      const { sessionKey, nodeId, kind, owner, tags, fingerprint, status, reason } = run;
      assert.deepEqual(
        { sessionKey, runId: run.runId, generation: run.generation, nodeId, kind, owner, tags, fingerprint },
        {
          sessionKey: key,
          runId,
          generation,
          nodeId: here.id,
          kind: 'cron',
          owner: ADA,
          tags: ['a', 'b'],
          fingerprint: 'f',
        },
      );
      assert.deepEqual([status, reason], ['running', undefined]);
    },
  },
  {
    name: 'claim: an id is taken in every session, not only in its own',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const [key, other] = [bench.key(), bench.key()];
      const run = await here.granted(key);
      const answer = answered(await there.claim(other, { runId: run.runId }), 'duplicate');
      assert.equal(answer.run.sessionKey, key);
      assert.deepEqual(await there.runsOf(other), []);
    },
  },
  {
    name: 'claim: of two nodes that claim one id at once, one is granted and the other is a duplicate',
    run: async (bench) => {
      const nodes = [await bench.node(), await bench.node()];
      for (let round = 0; round < bench.rounds(20); round++) {
        const runId = bench.key('run');
        const keys = round % 2 === 0 ? [bench.key(), bench.key()] : Array.from({ length: 2 }, () => `${runId}-session`);
        const answers = await Promise.all(
          nodes.map((node, at) => node.claim(keys[at] as string, { runId, mode: 'concurrent' })),
        );
        assert.deepEqual(answers.map(({ kind }) => kind).sort(), ['duplicate', 'granted']);
      }
    },
  },
  {
    name: 'claim: a retained run stays a duplicate with its outcome, one that is not retained can be claimed anew',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const kept = await node.granted(key);
      await node.end(kept, { status: 'failed', retain: true });
      assert.equal(answered(await node.claim(key, { runId: kept.runId }), 'duplicate').run.status, 'failed');
      const dropped = await node.granted(key);
      await node.end(dropped, { retain: false });
      const again = await node.granted(key, { runId: dropped.runId });
      assert.ok(again.generation > dropped.generation);
    },
  },
  {
    name: 'claim: exclusive is busy beside a running run, and names it with its owner; refused claims leave nothing',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const first = await here.granted(key, { owner: ADA });
      const runId = there.newRunId();
      const busy = answered(await there.claim(key, { runId }), 'busy');
      assert.deepEqual(
        busy.live.map((run) => [run.runId, run.generation, run.owner, run.nodeId, run.status]),
        [[first.runId, first.generation, ADA, here.id, 'running']],
      );
      assert.equal(await there.run(runId), undefined);
      await here.end(first);
      await there.granted(key, { runId });
    },
  },
  {
    name: 'claim: of two nodes that claim a free session exclusively at once, one is granted',
    run: async (bench) => {
      const nodes = [await bench.node(), await bench.node()];
      for (let round = 0; round < bench.rounds(20); round++) {
        const key = bench.key();
        const answers = await Promise.all(nodes.map((node) => node.claim(key)));
        assert.deepEqual(answers.map(({ kind }) => kind).sort(), ['busy', 'granted']);
      }
    },
  },
  {
    name: 'claim: concurrent is granted beside running runs, and runs named in `beside` are in nobody’s way',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const first = await node.granted(key);
      const second = await node.granted(key, { mode: 'concurrent' });
      assert.deepEqual(idsOf(answered(await node.claim(key, { beside: [first.runId] }), 'busy').live), [second.runId]);
      await node.granted(key, { beside: [first.runId, second.runId] });
      assert.equal(await node.check(first), true);
    },
  },
  {
    name: 'claim: a probe is never granted, also where nothing is in the way, and claims no id',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const runId = node.newRunId();
      assert.deepEqual(answered(await node.claim(key, { runId, mode: 'probe' }), 'busy').live, []);
      const run = await node.granted(key, { runId });
      assert.deepEqual(idsOf(answered(await node.claim(key, { mode: 'probe' }), 'busy').live), [run.runId]);
      answered(await node.claim(key, { runId, mode: 'probe' }), 'duplicate');
    },
  },
  {
    name: 'claim: it marks the runs that it replaces in its own operation, as superseded, and takes their place',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const first = await here.granted(key);
      const next = await there.granted(key, { replaces: [item(first)] });
      assert.ok(next.generation > first.generation);
      assert.deepEqual([await there.check(first), await here.check(next)], [false, true]);
      const stored = await there.run(first.runId);
      assert.deepEqual([stored?.status, stored?.reason], ['stopping', 'superseded']);
    },
  },
  {
    name: 'claim: a run is replaced by identity: another generation of the id stays',
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
    name: 'claim: one that is refused as busy has marked what it replaces all the same',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const first = await node.granted(key);
      const second = await node.granted(key, { mode: 'concurrent' });
      const busy = answered(await node.claim(key, { replaces: [item(first, { epilogue: true })] }), 'busy');
      assert.deepEqual(idsOf(busy.live), [second.runId]);
      assert.deepEqual(idsOf(busy.epilogues), [first.runId]);
      assert.deepEqual([await node.check(first), await node.check(second)], [false, true]);
    },
  },
  {
    name: 'claim: a duplicate and a stopped claim mark nothing',
    run: async (bench) => {
      const [node, other] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await node.granted(key);
      answered(await node.claim(key, { runId: run.runId, replaces: [item(run)] }), 'duplicate');
      assert.equal(await node.check(run), true);
      const runId = other.newRunId();
      await node.record(key, { selector: { sessionKey: key, runId }, requester: undefined, intent: true });
      answered(await other.claim(key, { runId, replaces: [item(run)] }), 'stopped');
      assert.equal(await node.check(run), true);
    },
  },
  {
    name: 'claim: a duplicate is told before a stop, and a stop before a run in the way',
    run: async (bench) => {
      const [node, other] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await node.granted(key);
      await node.record(key, { selector: { sessionKey: key }, requester: undefined, intent: false });
      answered(await other.claim(key, { runId: run.runId, stopsSeen: 0 }), 'duplicate');
      answered(await other.claim(key, { stopsSeen: 0 }), 'stopped');
      answered(await other.claim(key), 'busy');
    },
  },
  {
    name: 'claim: a stopping run is in nobody’s way, unless quiet is asked for',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const first = await node.granted(key);
      await node.stop(key, [item(first)]);
      for (const mode of ['exclusive', 'concurrent'] as const) {
        const answer = answered(await node.claim(key, { mode, whenQuiet: true }), 'not-quiet');
        assert.deepEqual(idsOf(answer.live), [first.runId]);
        assert.deepEqual(
          answer.live.map(({ status }) => status),
          ['stopping'],
        );
      }
      const next = await node.granted(key);
      answered(await node.claim(key, { whenQuiet: true }), 'busy');
      await node.end(next);
      await node.end(first, { status: 'aborted' });
      await node.granted(key, { whenQuiet: true });
    },
  },
];
