import { strict as assert } from 'node:assert';
import { answered, idsOf, item, recordOf } from './answers.js';
import type { Scenario } from './scenario.js';

/** A request that was sent twice, because its answer was lost or by the network: it takes effect once, and gets one answer. */
export const attempts: readonly Scenario[] = [
  {
    name: 'claim-twice: a claim that is sent again gets its generation again, and there is one run',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const request = { runId: here.newRunId(), isOwnId: true, attempt: here.newAttempt() };
      const first = await here.granted(key, request);
      const again = await here.granted(key, request);
      assert.equal(again.generation, first.generation);
      assert.equal(again.version, first.version, 'it has changed nothing');
      assert.equal(again.listSince, first.listSince);
      assert.deepEqual(idsOf(recordOf(again).runs), [first.runId]);
      answered(await here.claim(key, { runId: first.runId }), 'duplicate');
      answered(await there.claim(key, request), 'duplicate');
    },
  },
  {
    name: 'claim-twice-stopped: a claim that is sent again after its run was stopped starts nothing, and shows the stop',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const request = { runId: here.newRunId(), isOwnId: true, attempt: here.newAttempt() };
      const first = await here.granted(key, request);
      await there.stop(key, [item(first)], { reason: 'policy' });
      const again = await here.granted(key, request);
      assert.equal(again.generation, first.generation);
      assert.deepEqual(
        recordOf(again).runs.map(({ generation, status, reason }) => [generation, status, reason]),
        [[first.generation, 'stopping', 'policy']],
      );
    },
  },
  {
    name: 'takeover-twice: a takeover that is sent again names its epilogues again, and replaces nothing else',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const old = await here.granted(key, { hasEpilogue: true });
      const request = { runId: there.newRunId(), attempt: there.newAttempt(), replaces: [item(old)] };
      const first = await there.granted(key, request);
      const beside = await here.granted(key, { mode: 'concurrent' });
      const again = await there.granted(key, request);
      assert.equal(again.generation, first.generation);
      assert.deepEqual(
        again.epilogues.map(({ runId, token }) => [runId, token]),
        first.epilogues.map(({ runId, token }) => [runId, token]),
      );
      assert.equal(recordOf(again).reserved.length, 1);
      assert.equal(await here.check(beside), true);
    },
  },
  {
    name: 'lock-twice: a question for the lock that is sent again gets its token again; another one is busy',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      const attempt = here.newAttempt();
      const token = await here.locked(key, run, { attempt });
      const again = answered(await here.lock(key, run, { attempt }), 'granted');
      assert.equal(again.token, token);
      answered(await here.lock(key, run), 'busy');
      answered(await there.lock(key, undefined, { attempt }), 'busy');
      assert.equal(await here.unlock(key, token), true);
      assert.equal(await here.holder(key), undefined);
    },
  },
  {
    name: 'epilogue-lock-twice: an epilogue’s question for the lock that is sent again gets its token again',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key, { hasEpilogue: true });
      const [epilogue] = (await node.stop(key, [item(run)])).epilogues;
      const request = { reserved: epilogue?.token as number, attempt: node.newAttempt() };
      const token = await node.locked(key, run, request);
      assert.equal(await node.locked(key, run, request), token);
      assert.equal(token, request.reserved);
      await node.unlock(key, token);
      answered(await node.lock(key, run, { reserved: token }), 'stale');
    },
  },
  {
    name: 'stop-twice: a kept stop that is sent again gets its answer again, is kept once, and does not hit the next run',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key, { hasEpilogue: true });
      const selector = { sessionKey: key };
      const record = { selector, requester: undefined, intent: false };
      const request = { attempt: there.newAttempt(), select: selector, record };
      const first = await there.stop(key, [], request);
      const next = await here.granted(key);
      const again = await there.stop(key, [], request);
      assert.equal(again.number, first.number);
      assert.deepEqual(
        again.runs.map(({ runId, found }) => [runId, found]),
        [[run.runId, 'stopped']],
      );
      assert.deepEqual(again.epilogues, first.epilogues);
      assert.equal(recordOf(again).stops.length, 1);
      assert.equal(await here.check(next), true);
    },
  },
  {
    name: 'select-twice: a stop by selector that is not kept does not hit the next run either when it is sent again',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      const request = { attempt: there.newAttempt(), select: { sessionKey: key } };
      await there.stop(key, [], request);
      const next = await here.granted(key);
      const again = await there.stop(key, [], request);
      assert.deepEqual(idsOf(again.runs), [run.runId]);
      assert.equal(await here.check(next), true);
      // Another attempt is another stop, and an attempt of another node is that node's own.
      await here.stop(key, [], { ...request, attempt: request.attempt + 1_000 });
      assert.equal(await here.check(next), false);
    },
  },
  {
    name: 'select-twice-ended: a stop by selector that comes again after its runs have ended does not hit the next run',
    run: async (bench) => {
      const node = await bench.node();
      node.listen();
      const key = bench.key();
      const select = { sessionKey: key };
      const record = { selector: select, requester: undefined, intent: false };
      const run = await node.granted(key);
      const request = { attempt: node.newAttempt(), select, record };
      await node.stop(key, [], request);
      await node.ended(run, { status: 'aborted' });
      const next = await node.granted(key);
      await node.stop(key, [], request);
      assert.equal(await node.check(next), true);
      await node.ended(next);
    },
  },
  {
    name: 'attempts-apart: a number of one node says nothing of another node’s, nor of other sorts of requests',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const attempt = 7;
      const run = await here.granted(key, { attempt });
      const other = await there.granted(key, { attempt, mode: 'concurrent' });
      assert.ok(other.generation > run.generation);
      const token = await here.locked(key, run, { attempt });
      answered(await there.lock(key, other, { attempt }), 'busy');
      await here.unlock(key, token);
      const record = { selector: { sessionKey: key }, requester: undefined, intent: false };
      const one = await here.stop(key, [item(run)], { attempt, record });
      const two = await there.stop(key, [item(other)], { attempt, record });
      assert.ok((two.number as number) > (one.number as number));
      assert.deepEqual(idsOf(two.runs), [other.runId]);
    },
  },
  {
    name: 'stop-resent: a stop that a failover lost is kept under its number, and hits only what was begun before it or is named',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const before = await here.granted(key);
      // A number that was drawn, and of which the record knows nothing any more.
      const number = await here.record(key);
      await here.backend.forget({ sessionKey: key, stop: number });
      const after = await here.granted(key, { mode: 'concurrent' });
      const named = await here.granted(key, { mode: 'concurrent' });
      const record = { selector: { sessionKey: key }, requester: undefined, intent: false };
      const request = { attempt: there.newAttempt(), select: record.selector, record, number, named: [named.runId] };
      const answer = await there.stop(key, [], request);
      assert.equal(answer.number, number);
      assert.deepEqual(
        [await here.check(before), await here.check(after), await here.check(named)],
        [false, true, false],
      );
      assert.ok(recordOf(answer).stops.some((stop) => stop.number === number));
      assert.ok(answer.version > number, 'it is a change, whatever its number is');
    },
  },
];
