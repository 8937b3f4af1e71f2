import { strict as assert } from 'node:assert';
import { answered, item, recordOf } from './answers.js';
import type { Scenario } from './scenario.js';

/** One holder a session, and only the holder frees it. */
export const locks: readonly Scenario[] = [
  {
    name: 'held-is-busy: a held lock names its holder to all: run, node, token, since when',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      assert.equal(await there.holder(key), undefined);
      const run = await here.granted(key);
      const token = await here.locked(key, run, { since: 1_700_000_000_000 });
      const busy = answered(await there.lock(key), 'busy');
      for (const holder of [busy.holder, recordOf(busy).holder, await there.holder(key)]) {
        assert.deepEqual(
          [holder?.runId, holder?.nodeId, holder?.token, holder?.since, holder?.isEpilogue],
          [run.runId, here.id, token, 1_700_000_000_000, false],
        );
      }
    },
  },
  {
    name: 'holder-without-run: a holder that is no run has no run id',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const token = await node.locked(key);
      const holder = await node.holder(key);
      assert.deepEqual([holder?.runId, holder?.token], [undefined, token]);
    },
  },
  {
    name: 'lock-at-once: of two nodes that ask for a free lock at once, one gets it',
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
    name: 'unlock-twice: a lock that is given back twice is not held any more, and its next holder keeps it',
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
    name: 'lost-grant: a grant that was revoked is not given back: its former holder touches no one',
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
    name: 'not-reentrant: a lock’s own holder is told busy, with itself as the holder',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const token = await node.locked(key, run);
      assert.equal(answered(await node.lock(key, run), 'busy').holder?.token, token);
    },
  },
  {
    name: 'stale-lock: a run that is stopped, unknown or of another generation gets no lock',
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
    name: 'stale-before-busy: a stale run is told so also while the lock is held',
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
    name: 'check-token: a check with a token holds while the lock is held with it, and, with a run, while that is running',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key, { hasEpilogue: true });
      const token = await here.locked(key, run);
      const holds = async (one: number): Promise<boolean> =>
        here.backend.check({ sessionKey: key, run: undefined, token: one });
      assert.deepEqual([await holds(token), await holds(token + 1), await here.check(run, token)], [true, false, true]);
      assert.equal(await here.check(run, token + 1), false);
      const [epilogue] = (await there.stop(key, [item(run)])).epilogues;
      const reserved = epilogue?.token as number;
      assert.deepEqual([await holds(token), await here.check(run, token)], [true, false]);
      await here.unlock(key, token);
      assert.deepEqual([await holds(token), await holds(reserved)], [false, false], 'a reservation is no grant');
      await here.locked(key, run, { reserved });
      assert.equal(await holds(reserved), true);
    },
  },
];
