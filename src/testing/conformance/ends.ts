import { strict as assert } from 'node:assert';
import type { EndAnswer, StopAnswer } from '../../backend/index.js';
import { answered, idsOf, item, REPORT, recordOf } from './answers.js';
import type { Scenario } from './scenario.js';

/** The first result stays, whichever it is, and it is the same for every node. */
export const ends: readonly Scenario[] = [
  {
    name: 'end-after-stop: a completion that comes after a stop is refused, and the answer says why it was stopped',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      for (const status of ['completed', 'failed'] as const) {
        const key = bench.key();
        const run = await here.granted(key, { hasEpilogue: true });
        const [epilogue] = (await there.stop(key, [item(run)], { reason: 'policy' })).epilogues;
        const refused = answered(await here.end(run, { status, retain: true }), 'stopping');
        const { generation, reason } = refused.run;
        assert.deepEqual([generation, refused.run.status, reason], [run.generation, 'stopping', 'policy']);
        assert.ok(refused.epilogue !== undefined && refused.epilogue === epilogue?.token);
        assert.deepEqual(idsOf(recordOf(refused).runs), [run.runId], 'it is still there');
        assert.equal((await there.run(run.runId))?.status, 'stopping');
      }
    },
  },
  {
    name: 'end-of-stopped: a stopped run ends as aborted, and the reason of the stop stays',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      await there.stop(key, [item(run)], { reason: 'timeout' });
      const ended = await here.ended(run, { status: 'aborted', reason: 'disconnect', retain: true });
      assert.deepEqual([ended.run?.status, ended.run?.reason], ['aborted', 'timeout']);
      assert.deepEqual(recordOf(ended).runs, []);
      const stored = await there.run(run.runId);
      assert.deepEqual([stored?.status, stored?.reason], ['aborted', 'timeout']);
    },
  },
  {
    name: 'end-of-running: a running run ends as it is said, with the reason if it was aborted',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      for (const status of ['completed', 'failed', 'aborted'] as const) {
        const reason = status === 'aborted' ? 'disconnect' : undefined;
        const run = await here.granted(bench.key());
        const ended = await here.ended(run, { status, reason, retain: true });
        assert.deepEqual([ended.run?.status, ended.run?.reason], [status, reason]);
        const stored = await there.run(run.runId);
        assert.deepEqual([stored?.status, stored?.reason], [status, reason]);
      }
    },
  },
  {
    name: 'end-after-end: the first end stays, and the second one is told of it',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      await here.ended(run, { status: 'completed', retain: true });
      const next = await here.granted(key);
      for (const node of [here, there]) {
        const again = await node.ended(run, { status: 'failed', retain: true });
        assert.deepEqual([again.run?.status, again.run?.generation], ['completed', run.generation]);
      }
      assert.equal((await there.run(run.runId))?.status, 'completed');
      assert.equal(await here.check(next), true);
    },
  },
  {
    name: 'stop-after-end: a stop that comes after an end changes nothing, and is told of it',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      await here.ended(run, { status: 'completed', retain: true });
      const { runs, epilogues } = await there.stop(key, [item(run, { hasEpilogue: true })]);
      assert.deepEqual(
        runs.map(({ runId, found, run: left }) => [runId, found, left?.status, left?.reason]),
        [[run.runId, 'ended', 'completed', undefined]],
      );
      assert.deepEqual(epilogues, []);
      assert.equal((await here.run(run.runId))?.status, 'completed');
    },
  },
  {
    name: 'end-at-once: of an end and a stop at once, one is first, and both are told which',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      for (let round = 0; round < bench.rounds(20); round++) {
        const key = bench.key();
        const run = await here.granted(key);
        const end = (): Promise<EndAnswer> => here.end(run, { retain: true });
        const stop = (): Promise<StopAnswer> => there.stop(key, [item(run)]);
        const isStopFirst = round % 2 === 0;
        const early = isStopFirst ? stop() : undefined;
        const [{ kind }, { runs }] = await Promise.all([end(), early ?? stop()]);
        assert.equal(runs[0]?.found, kind === 'ended' ? 'ended' : 'stopped');
        assert.equal((await there.run(run.runId))?.status, kind === 'ended' ? 'completed' : 'stopping');
      }
    },
  },
  {
    name: 'end-by-generation: an end of another generation of the id ends nothing',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const other = await node.ended({ ...run, generation: run.generation + 1 });
      const unknown = await node.ended({ ...run, runId: node.newRunId() });
      assert.deepEqual([other.run, unknown.run], [undefined, undefined]);
      assert.equal(await node.check(run), true);
    },
  },
  {
    name: 'end-not-retained: a run that is not retained is told its outcome, and is unknown from then on',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      const ended = await here.ended(run, { status: 'failed', retain: false });
      assert.deepEqual([ended.run?.status, ended.run?.runId], ['failed', run.runId]);
      assert.equal(await there.run(run.runId), undefined);
      assert.equal((await there.stop(key, [item(run)])).runs[0]?.found, 'unknown');
    },
  },
  {
    name: 'grant-outlives-run: a grant stays when its run has ended, until it is given back',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const token = await node.locked(key, run);
      await node.ended(run);
      assert.equal((await node.holder(key))?.token, token);
      assert.equal(await node.unlock(key, token), true);
    },
  },
  {
    name: 'report-with-end: what a node says of its run with the end is kept for others to read',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      await there.stop(key, [item(run)]);
      assert.equal((await there.run(run.runId))?.report, undefined);
      const ended = await here.ended(run, { status: 'aborted', report: REPORT, retain: true });
      assert.deepEqual(ended.run?.report, REPORT);
      assert.deepEqual((await there.run(run.runId))?.report, REPORT);
    },
  },
];
