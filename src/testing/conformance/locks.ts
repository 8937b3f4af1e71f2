import { strict as assert } from 'node:assert';
import { answered, item } from './node.js';
import type { Scenario } from './scenario.js';

/** One holder a session, and nobody but the holder frees it. */
export const locks: readonly Scenario[] = [
  {
    name: '8. a held lock is busy, and names its holder: run, node, token, since when; the holder can be read by all',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      assert.equal(await there.holder(key), undefined);
      const run = await here.granted(key);
      const token = await here.locked(key, run, { since: 1_700_000_000_000 });
      for (const holder of [answered(await there.lock(key), 'busy').holder, await there.holder(key)]) {
        assert.deepEqual(
          [holder?.runId, holder?.nodeId, holder?.token, holder?.since],
          [run.runId, here.id, token, 1_700_000_000_000],
        );
      }
    },
  },
  {
    name: '8. a holder that is no run has no run id',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const token = await node.locked(key);
      const holder = await node.holder(key);
      assert.deepEqual([holder?.runId, holder?.token], [undefined, token]);
    },
  },
  {
    name: '8. of two nodes that ask for a free lock at once, one gets it',
    run: async (bench) => {
      const nodes = [await bench.node(), await bench.node()];
      for (let round = 0; round < bench.rounds(20); round++) {
        const key = bench.key();
        const answers = await Promise.all(nodes.map((node) => node.lock(key)));
        assert.deepEqual(answers.map(({ kind }) => kind).sort(), ['busy', 'granted']);
      }
    },
  },
  {
    name: '13. a lock that is given back twice: the second time it is not held any more, and its next holder keeps it',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const token = await here.locked(key);
      assert.equal(await here.unlock(key, token), true);
      assert.equal(await here.unlock(key, token), false);
      const next = await there.locked(key);
      assert.ok(next > token);
      assert.equal(await here.unlock(key, token), false);
      assert.equal(await here.unlock(bench.key(), next), false);
      assert.equal((await here.holder(key))?.token, next);
    },
  },
  {
    name: '13. a grant that was lost is not given back: its former holder touches nobody',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      const token = await here.locked(key, run);
      await there.stop(key, [item(run, { revoke: token })]);
      const next = await there.locked(key);
      assert.equal(await here.unlock(key, token), false);
      assert.equal((await here.holder(key))?.token, next);
    },
  },
  {
    name: '14. a lock is not reentrant: its own holder is told busy, with itself as the holder',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const token = await node.locked(key, run);
      assert.equal(answered(await node.lock(key, run), 'busy').holder?.token, token);
    },
  },
  {
    name: '17. a run that is stopped, unknown or of another generation gets no lock',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      answered(await here.lock(key, { ...run, generation: run.generation + 1 }), 'stale');
      answered(await here.lock(key, { ...run, runId: here.newRunId() }), 'stale');
      const next = await there.granted(key, { replaces: [item(run)] });
      answered(await here.lock(key, run), 'stale');
      await there.locked(key, next);
    },
  },
  {
    name: '17. a stale run is told so also while somebody else holds the lock',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      await node.stop(key, [item(run)]);
      await node.locked(key);
      answered(await node.lock(key, run), 'stale');
    },
  },
  {
    name: 'lock: a stop frees the grant that it lists, no grant that it does not list, and no later one',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const token = await node.locked(key, run);
      await node.stop(key, [item(run)]);
      assert.equal((await node.holder(key))?.token, token);
      await node.stop(key, [item(run, { revoke: token })]);
      assert.equal(await node.holder(key), undefined);
      const later = await node.locked(key);
      await node.stop(key, [item(run, { revoke: token })]);
      assert.equal((await node.holder(key))?.token, later);
    },
  },
];
