import { strict as assert } from 'node:assert';
import { idsOf, item, recordOf } from './answers.js';
import type { Scenario } from './scenario.js';

const ADA = { userId: 'ada', deviceId: 'd' };

/** A stop marks runs in the record, and says what it found. */
export const stops: readonly Scenario[] = [
  {
    name: 'current: a run is current until it is stopped, replaced or ended, and by its own generation only',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      assert.equal(await there.check(run), true);
      assert.equal(await there.check({ ...run, generation: run.generation + 1 }), false);
      await there.stop(key, [item(run)]);
      assert.equal(await here.check(run), false);
      await here.ended(run, { status: 'aborted', retain: true });
      assert.equal(await here.check(run), false);
      assert.equal(await here.check({ ...run, runId: here.newRunId() }), false);
    },
  },
  {
    name: 'stop-in-record: a stop is in the record and in its answer, with its reason, and other runs are as they were',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const first = await here.granted(key);
      const second = await here.granted(key, { mode: 'concurrent' });
      const answer = await there.stop(key, [item(first)], { reason: 'policy' });
      for (const { runs } of [recordOf(answer), await here.session(key)]) {
        assert.deepEqual(
          runs.map(({ runId, status, reason }) => [runId, status, reason]),
          [
            [first.runId, 'stopping', 'policy'],
            [second.runId, 'running', undefined],
          ],
        );
      }
      assert.deepEqual([await here.check(first), await here.check(second)], [false, true]);
      const stored = await here.run(first.runId, key);
      assert.deepEqual([stored?.status, stored?.reason], ['stopping', 'policy']);
    },
  },
  {
    name: 'detail: what a stop or an end says beside its reason is told with the run, the kept stop and the list',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const detail = 'quota: ünïted 🙂';
      const stopped = await here.granted(key);
      const ended = await here.granted(key, { mode: 'concurrent' });
      const plain = await here.granted(key, { mode: 'concurrent' });
      const record = { selector: { sessionKey: key }, requester: undefined, intent: false };
      await there.stop(key, [item(stopped)], { detail, record });
      await there.stop(key, [item(plain)]);
      const { runs, stops } = await here.session(key);
      assert.deepEqual([runs[0]?.detail, runs[2]?.detail], [detail, undefined]);
      assert.equal(stops.at(-1)?.detail, detail);
      await here.ended(ended, { status: 'aborted', reason: 'policy', detail, retain: true });
      await here.ended(stopped, { status: 'aborted', reason: 'policy', detail: 'later', retain: true });
      for (const { runId } of [stopped, ended]) assert.equal((await there.run(runId))?.detail, detail);
      const number = await here.list({ detail });
      const list = await there.backend.readStops();
      assert.equal(list.stops.find((stop) => stop.number === number)?.detail, detail);
    },
  },
  {
    name: 'stop-found: a stop says of each run what it found: stopped by it, stopping before, ended, or unknown',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const [running, stopping, ended] = [
        await here.granted(key),
        await here.granted(key, { mode: 'concurrent' }),
        await here.granted(key, { mode: 'concurrent' }),
      ];
      await here.stop(key, [item(stopping)], { reason: 'timeout' });
      await here.ended(ended, { status: 'failed', retain: true });
      const other = { ...running, generation: ended.generation + 1_000 };
      const never = { runId: there.newRunId(), generation: running.generation };
      const answer = await there.stop(
        key,
        [running, stopping, ended, never].map((run) => item(run)),
      );
      assert.deepEqual(
        answer.runs.map(({ runId, found, run }) => [runId, found, run?.status, run?.reason]),
        [
          [running.runId, 'stopped', 'stopping', 'user'],
          [stopping.runId, 'stopping', 'stopping', 'timeout'],
          [ended.runId, 'ended', 'failed', undefined],
          [never.runId, 'unknown', undefined, undefined],
        ],
      );
      for (const sessionKey of [key, bench.key()]) {
        assert.deepEqual(
          (await there.stop(sessionKey, [item(other)])).runs.map(({ runId, found }) => [runId, found]),
          [[other.runId, 'unknown']],
        );
      }
    },
  },
  {
    name: 'first-reason: a run that was stopped twice keeps the first reason',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      await there.stop(key, [item(run)], { reason: 'policy' });
      await here.stop(key, [item(run)], { reason: 'shutdown' });
      assert.equal((await here.run(run.runId))?.reason, 'policy');
    },
  },
  {
    name: 'stop-by-generation: another generation of the id is not stopped',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const other = { ...run, generation: run.generation + 1 };
      const { epilogues } = await node.stop(key, [item(other, { hasEpilogue: true })]);
      assert.deepEqual(epilogues, []);
      assert.equal(await node.check(run), true);
    },
  },
  {
    name: 'stop-at-once: of two stops at once one stops the run, and the other is told so with the first one’s reason',
    run: async (bench) => {
      const nodes = [await bench.node(), await bench.node()];
      for (let round = 0; round < bench.rounds(20); round++) {
        const key = bench.key();
        const run = await (nodes[0] ?? assert.fail()).granted(key);
        const reasons = ['user', 'policy'] as const;
        const answers = await Promise.all(
          nodes.map((node, at) => node.stop(key, [item(run)], { reason: reasons[at] as 'user' | 'policy' })),
        );
        const found = answers.map(({ runs }) => runs[0]?.found);
        assert.deepEqual([...found].sort(), ['stopped', 'stopping']);
        const reason = reasons[found.indexOf('stopped')];
        for (const { runs } of answers) assert.equal(runs[0]?.run?.reason, reason);
      }
    },
  },
  {
    name: 'select: a stop marks every running run that its selector matches, and says which',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const selectors = [{ kind: 'cron' }, { tag: 't' }, { owner: { userId: 'ada' } }];
      for (const selector of selectors) {
        const key = bench.key();
        const mode = 'concurrent';
        const matching = await here.granted(key, { mode, kind: 'cron', tags: ['s', 't'], owner: ADA });
        const other = await here.granted(key, { mode, owner: { userId: 'eve' } });
        const answer = await there.stop(key, [], { select: { sessionKey: key, ...selector } });
        assert.deepEqual(
          answer.runs.map(({ runId, found }) => [runId, found]),
          [[matching.runId, 'stopped']],
          JSON.stringify(selector),
        );
        assert.deepEqual([await here.check(matching), await here.check(other)], [false, true]);
      }
    },
  },
  {
    name: 'select-by-generation: a selector with a generation marks this generation of its run only',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const { runId, generation } = await node.granted(key);
      const run = { sessionKey: key, runId, generation };
      await node.stop(key, [], { select: { sessionKey: key, runId, generation: generation + 1 } });
      assert.equal(await node.check(run), true);
      await node.stop(key, [], { select: { sessionKey: key, runId, generation } });
      assert.equal(await node.check(run), false);
    },
  },
  {
    name: 'select-beside-listed: a run that is listed and matches is told once, and what is listed is marked besides',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const both = await node.granted(key, { tags: ['t'] });
      const listed = await node.granted(key, { mode: 'concurrent' });
      const matching = await node.granted(key, { mode: 'concurrent', tags: ['t'] });
      const answer = await node.stop(key, [item(both), item(listed)], { select: { sessionKey: key, tag: 't' } });
      assert.deepEqual(idsOf(answer.runs), idsOf([both, listed, matching]));
      assert.ok(answer.runs.every(({ found }) => found === 'stopped'));
    },
  },
  {
    name: 'stop-in-session: a stop of one session marks no run of another',
    run: async (bench) => {
      const node = await bench.node();
      const [key, other] = [bench.key(), bench.key()];
      const run = await node.granted(other, { tags: ['t'] });
      await node.stop(key, [], { select: { tag: 't' } });
      await node.stop(key, [], { select: {} });
      assert.equal(await node.check(run), true);
    },
  },
  {
    name: 'revoke: a stop frees the grant that it lists, no grant that it does not list, and no later one',
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
