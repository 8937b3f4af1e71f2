import { strict as assert } from 'node:assert';
import { answered, idsOf, item } from './answers.js';
import type { Scenario } from './scenario.js';

const ADA = { userId: 'ada' };

/** Whom a claim gives its generation, and which ids and runs are in its way. */
export const claims: readonly Scenario[] = [
  {
    name: 'duplicate-is-first: an id that is taken is a duplicate, and the answer is the first run as it was claimed',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const about = { kind: 'cron', owner: ADA, tags: ['a', 'b'], fingerprint: 'f', graceMs: 7, hasEpilogue: true };
      const first = await here.granted(key, about);
      const { run } = answered(await there.claim(key, { runId: first.runId, kind: 'chat' }), 'duplicate');
      const { sessionKey, runId, generation, nodeId, status, reason, supersededBy } = run;
      const { kind, owner, tags, fingerprint, graceMs, hasEpilogue } = run;
      assert.deepEqual({ kind, owner, tags, fingerprint, graceMs, hasEpilogue }, about);
      assert.deepEqual([sessionKey, runId, generation, nodeId], [key, first.runId, first.generation, here.id]);
      assert.deepEqual([status, reason, supersededBy], ['running', undefined, undefined]);
    },
  },
  {
    name: 'id-taken-everywhere: an id is taken in every session, not only in its own',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const [key, other] = [bench.key(), bench.key()];
      const runId = bench.key('run');
      await here.granted(key, { runId });
      const answer = answered(await there.claim(other, { runId }), 'duplicate');
      assert.equal(answer.run.sessionKey, key);
      assert.deepEqual(await there.runsOf(other), []);
    },
  },
  {
    name: 'id-at-once: of two nodes that claim one id at once, one is granted and the other is a duplicate',
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
    name: 'retained-is-duplicate: a retained run stays a duplicate with its outcome, another one can be claimed anew',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const kept = await node.granted(key);
      await node.ended(kept, { status: 'failed', retain: true });
      assert.equal(answered(await node.claim(key, { runId: kept.runId }), 'duplicate').run.status, 'failed');
      const dropped = await node.granted(key);
      await node.ended(dropped, { retain: false });
      const again = await node.granted(key, { runId: dropped.runId });
      assert.ok(again.generation > dropped.generation);
    },
  },
  {
    name: 'repeat: an ended run can be repeated under its id, by its generation, and a live one cannot',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const { runId, generation: first } = await here.granted(key, { runId: bench.key('run') });
      const again = { runId, mode: 'concurrent', repeats: first } as const;
      answered(await there.claim(key, again), 'duplicate');
      await here.ended({ sessionKey: key, runId, generation: first }, { status: 'aborted', retain: true });
      answered(await there.claim(key, { ...again, repeats: first + 1 }), 'duplicate');
      const { generation } = await there.granted(key, again);
      assert.ok(generation > first);
      assert.equal(await there.check({ sessionKey: key, runId, generation }), true);
      assert.equal((await here.run(runId))?.generation, generation);
      answered(await here.claim(key, again), 'duplicate');
    },
  },
  {
    name: 'busy: exclusive is busy beside a running run, and names it with its owner; a refused claim leaves nothing',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const first = await here.granted(key, { owner: ADA });
      const runId = there.newRunId();
      const { snapshot } = answered(await there.claim(key, { runId }), 'busy');
      assert.deepEqual(
        snapshot.runs.map((run) => [run.runId, run.generation, run.owner, run.nodeId, run.status]),
        [[first.runId, first.generation, ADA, here.id, 'running']],
      );
      assert.equal(await there.run(runId), undefined);
      await here.ended(first);
      await there.granted(key, { runId });
    },
  },
  {
    name: 'session-at-once: of two nodes that claim a free session exclusively at once, one is granted',
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
    name: 'beside: concurrent is granted beside running runs, and runs named in `beside` are not in the way',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const first = await node.granted(key);
      const second = await node.granted(key, { mode: 'concurrent' });
      answered(await node.claim(key, { beside: [first.runId] }), 'busy');
      await node.granted(key, { beside: [first.runId, second.runId] });
      assert.equal(await node.check(first), true);
    },
  },
  {
    name: 'probe: a probe is never granted, also where nothing is in the way, and claims no id',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const runId = node.newRunId();
      assert.deepEqual(answered(await node.claim(key, { runId, mode: 'probe' }), 'busy').snapshot.runs, []);
      const run = await node.granted(key, { runId });
      assert.deepEqual(idsOf(answered(await node.claim(key, { mode: 'probe' }), 'busy').snapshot.runs), [run.runId]);
      answered(await node.claim(key, { runId, mode: 'probe' }), 'duplicate');
    },
  },
  {
    name: 'stopping-beside: a stopping run is in no one’s way, unless quiet is asked for',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const first = await node.granted(key);
      await node.stop(key, [item(first)]);
      for (const mode of ['exclusive', 'concurrent'] as const) {
        const { snapshot } = answered(await node.claim(key, { mode, whenQuiet: true }), 'not-quiet');
        assert.deepEqual(
          snapshot.runs.map(({ runId, status }) => [runId, status]),
          [[first.runId, 'stopping']],
        );
      }
      const next = await node.granted(key);
      answered(await node.claim(key, { whenQuiet: true }), 'busy');
      await node.ended(next);
      await node.ended(first, { status: 'aborted' });
      await node.granted(key, { whenQuiet: true });
    },
  },
  {
    name: 'checks-in-order: a claim is told of a duplicate before a stop, and of a stop before a run in the way',
    run: async (bench) => {
      const [node, other] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await node.granted(key);
      await node.record(key);
      answered(await other.claim(key, { runId: run.runId, since: 0 }), 'duplicate');
      answered(await other.claim(key, { since: 0 }), 'stopped');
      answered(await other.claim(key), 'busy');
    },
  },
];
