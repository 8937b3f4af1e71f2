import { strict as assert } from 'node:assert';
import { answered, idsOf, item } from './answers.js';
import type { Scenario } from './scenario.js';

/** What can be read of runs while they live, when they have ended, and when they are forgotten. */
export const reads: readonly Scenario[] = [
  {
    name: 'read-session: a session shows its runs that have not ended, stopping ones too, on every node',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      assert.deepEqual(await there.runsOf(key), []);
      const [first, second] = [await here.granted(key), await there.granted(key, { mode: 'concurrent' })];
      await here.stop(key, [item(first)]);
      for (const node of [here, there]) {
        assert.deepEqual(
          (await node.runsOf(key)).map(({ runId }) => runId),
          [first.runId, second.runId],
        );
      }
      await here.ended(first, { status: 'aborted', retain: true });
      assert.deepEqual(idsOf(await there.runsOf(key)), [second.runId]);
    },
  },
  {
    name: 'read-run: a run is found by its id alone, and in its session, a retained one with its outcome',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key, { tags: ['t'], kind: 'cron' });
      assert.equal(await there.run(there.newRunId()), undefined);
      for (const sessionKey of [undefined, key]) {
        assert.equal((await there.run(run.runId, sessionKey))?.status, 'running');
      }
      await here.ended(run, { status: 'failed', retain: true });
      for (const sessionKey of [undefined, key]) {
        const stored = await there.run(run.runId, sessionKey);
        assert.deepEqual([stored?.status, stored?.kind, stored?.tags], ['failed', 'cron', ['t']]);
      }
    },
  },
  {
    name: 'read-node: a node’s records are those with a run, a grant or a reservation of it, and no others',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const keys = { running: bench.key(), stopping: bench.key(), held: bench.key(), reserved: bench.key() };
      const [ended, elsewhere] = [bench.key(), bench.key()];
      await here.granted(keys.running);
      const stopping = await here.granted(keys.stopping);
      await there.stop(keys.stopping, [item(stopping)]);
      await here.locked(keys.held);
      const due = await here.granted(keys.reserved, { hasEpilogue: true });
      await there.stop(keys.reserved, [item(due)]);
      await here.ended(await here.granted(ended), { retain: true });
      await there.granted(elsewhere);
      await here.claim(elsewhere);
      const records = await there.backend.readNode(here.id);
      assert.deepEqual(records.map(({ sessionKey }) => sessionKey).sort(), Object.values(keys).sort());
      for (const { sessionKey, version, runs } of records) {
        const record = await there.session(sessionKey);
        assert.deepEqual([version, runs], [record.version, record.runs]);
      }
      assert.deepEqual(await there.backend.readNode(bench.key('nobody')), []);
    },
  },
  {
    name: 'read-active: all live runs of all sessions are read, running and stopping, and no ended one',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const running = await here.granted(bench.key());
      const stopping = await there.granted(bench.key());
      await here.stop(stopping.sessionKey, [item(stopping)]);
      const ended = await here.granted(bench.key());
      await here.ended(ended, { retain: true });
      const runs = await here.backend.readActive();
      const own = runs.filter(({ nodeId }) => nodeId === here.id || nodeId === there.id);
      assert.deepEqual(
        own.map(({ runId, sessionKey, status }) => [runId, sessionKey, status]).sort(),
        [
          [running.runId, running.sessionKey, 'running'],
          [stopping.runId, stopping.sessionKey, 'stopping'],
        ].sort(),
      );
    },
  },
  {
    name: 'watch-session: a node that watches a session hears of its changes although it has nothing there',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      there.listen();
      const { version } = await there.session(key, true);
      const run = await here.granted(key);
      await bench.eventually('it hears of the run', () => there.hasHeard(key, version + 1));
      await here.ended(run);
      await bench.eventually('it hears of the end', () => there.hasHeard(key, here.seenOf(key)));
    },
  },
  {
    name: 'watch-run: a node that reads a run and watches it hears of its end',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      there.listen();
      for (const isKeyKnown of [true, false]) {
        const key = bench.key();
        const { runId, generation } = await here.granted(key);
        const sessionKey = isKeyKnown ? key : undefined;
        const read = await there.backend.readRun({ runId, sessionKey, nodeId: there.id, watch: true });
        assert.equal(read?.status, 'running');
        await here.ended({ sessionKey: key, runId, generation }, { retain: true });
        await bench.eventually('it hears of the end', () => there.hasHeard(key, here.seenOf(key)));
        assert.equal((await there.run(runId, key))?.status, 'completed');
      }
    },
  },
  {
    name: 'forget-run: a run that has not ended is not forgotten, and neither are others of its session',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const [run, stopping, ended, kept] = [
        await node.granted(key),
        await node.granted(key, { mode: 'concurrent' }),
        await node.granted(key, { mode: 'concurrent' }),
        await node.granted(key, { mode: 'concurrent' }),
      ];
      await node.stop(key, [item(stopping)]);
      await node.ended(ended, { retain: true });
      await node.ended(kept, { retain: true });
      for (const { runId, generation } of [run, stopping, ended]) {
        await node.backend.forget({ sessionKey: key, runId, generation });
      }
      assert.equal(await node.check(run), true);
      assert.deepEqual(idsOf(await node.runsOf(key)), idsOf([run, stopping]));
      answered(await node.claim(key, { runId: kept.runId }), 'duplicate');
    },
  },
  {
    name: 'forget-by-generation: a run is forgotten by its generation: another one of its id stays',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const runId = bench.key('run');
      const first = await node.granted(key, { runId });
      await node.ended(first, { status: 'aborted', retain: true });
      const second = await node.granted(key, { runId, repeats: first.generation });
      await node.ended(second, { retain: true });
      await node.backend.forget({ sessionKey: key, runId, generation: first.generation });
      assert.equal((await node.run(runId))?.generation, second.generation);
    },
  },
];
