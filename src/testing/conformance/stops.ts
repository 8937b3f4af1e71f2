import { strict as assert } from 'node:assert';
import { ADMIN, type Requester } from '../../index.js';
import { answered, item } from './node.js';
import type { Scenario } from './scenario.js';

/** A stop marks runs, and may be kept for runs that are not there yet. */
export const stops: readonly Scenario[] = [
  {
    name: '17. a run is current until it is stopped, replaced or ended, and by its own generation only',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      assert.equal(await there.check(run), true);
      assert.equal(await there.check({ ...run, generation: run.generation + 1 }), false);
      await there.stop(key, [item(run)]);
      assert.equal(await here.check(run), false);
      await here.end(run, { status: 'aborted', retain: true });
      assert.equal(await here.check(run), false);
      assert.equal(await here.check({ ...run, runId: here.newRunId() }), false);
    },
  },
  {
    name: 'stop: it marks exactly the runs that are listed, with the reason; said again, the first reason stays',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const first = await here.granted(key);
      const second = await here.granted(key, { mode: 'concurrent' });
      await there.stop(key, [item(first)], { reason: 'policy' });
      await here.stop(key, [item(first)], { reason: 'shutdown' });
      assert.deepEqual([await here.check(first), await here.check(second)], [false, true]);
      const stored = await here.run(first.runId);
      assert.deepEqual([stored?.status, stored?.reason], ['stopping', 'policy']);
    },
  },
  {
    name: 'stop: another generation of the id is not stopped',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const { epilogues } = await node.stop(key, [
        item({ ...run, generation: run.generation + 1 }, { epilogue: true }),
      ]);
      assert.deepEqual(epilogues, []);
      assert.equal(await node.check(run), true);
    },
  },
  {
    name: 'stop: a run that has ended is not stopped any more',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      await node.end(run, { status: 'completed', retain: true });
      await node.stop(key, [item(run)]);
      const stored = await node.run(run.runId);
      assert.deepEqual([stored?.status, stored?.reason], ['completed', undefined]);
    },
  },
  {
    name: 'stop: without a record it has no number, and is not kept',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      assert.equal((await here.stop(key, [])).number, undefined);
      await there.granted(key, { stopsSeen: 0 });
    },
  },
  {
    name: 'stop: one of the session is kept for runs that were queued on other nodes when it came',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const before = answered(await there.claim(key, { mode: 'probe' }), 'busy').stopsSeen;
      const requester = { userId: 'ada', deviceId: 'd' };
      const selector = { sessionKey: key, kind: 'chat' };
      const number = await here.record(key, { selector, requester, intent: false });
      assert.ok(number > before);
      const stopped = answered(await there.claim(key, { stopsSeen: before }), 'stopped');
      const [stop] = stopped.stops;
      assert.equal(stopped.stops.length, 1);
      assert.deepEqual({ ...stop }, { number, nodeId: here.id, selector, requester, reason: 'user', intent: false });
      assert.ok(stopped.stopsSeen >= number);
    },
  },
  {
    name: 'stop: one of the session does not concern runs that were queued after it, on its own node, or that have judged it',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const number = await here.record(key, { selector: { sessionKey: key }, requester: undefined, intent: false });
      const { stopsSeen } = answered(await there.claim(key, { mode: 'probe' }), 'busy');
      assert.ok(stopsSeen >= number);
      await there.granted(key, { mode: 'concurrent', stopsSeen });
      await there.granted(key, { mode: 'concurrent', stopsSeen: undefined });
      await here.granted(key, { mode: 'concurrent', stopsSeen: 0 });
      await there.granted(key, { mode: 'concurrent', stopsSeen: 0, stopsJudged: number });
      answered(await there.claim(key, { mode: 'concurrent', stopsSeen: 0 }), 'stopped');
    },
  },
  {
    name: 'stop: the counter of the answers is at least the number of the last stop, and never goes back',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      let last = 0;
      for (let turn = 0; turn < 4; turn++) {
        const number = await here.record(key, { selector: { sessionKey: key }, requester: undefined, intent: false });
        const { stopsSeen } = answered(await there.claim(key, { mode: 'probe' }), 'busy');
        assert.ok(stopsSeen >= number && stopsSeen >= last);
        last = stopsSeen;
        await here.backend.forget({ sessionKey: key, stop: number });
      }
    },
  },
  {
    name: 'stop: an intent is kept for the run of its id alone, on every node, until it is forgotten',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const runId = there.newRunId();
      const number = await here.record(key, {
        selector: { sessionKey: key, runId },
        requester: { userId: 'eve' },
        intent: true,
      });
      for (const node of [here, there]) {
        const { stops: judged } = answered(await node.claim(key, { runId }), 'stopped');
        assert.deepEqual(
          judged.map((stop) => [stop.number, stop.intent]),
          [[number, true]],
        );
      }
      await there.granted(key, { mode: 'concurrent', stopsSeen: 0 });
      answered(await there.claim(key, { runId, mode: 'concurrent' }), 'stopped');
      await there.granted(key, { runId, mode: 'concurrent', stopsJudged: number });
    },
  },
  {
    name: 'stop: a forgotten one stops nobody, and takes no other with it',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const record = { selector: { sessionKey: key }, requester: undefined, intent: false };
      const first = await here.record(key, record);
      const second = await here.record(key, record);
      await here.backend.forget({ sessionKey: key, stop: first });
      const { stops: judged } = answered(await there.claim(key, { stopsSeen: 0 }), 'stopped');
      assert.ok(judged.some(({ number }) => number === second));
    },
  },
  {
    name: 'stop: who asked is kept exactly: a user, an administrator, the host',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const requesters: readonly (Requester | undefined)[] = [{ userId: 'ada', connId: 'c' }, ADMIN, undefined];
      for (const requester of requesters) {
        await here.record(key, { selector: { sessionKey: key }, requester, intent: false });
      }
      const { stops: judged } = answered(await there.claim(key, { stopsSeen: 0 }), 'stopped');
      assert.deepEqual(
        judged.map(({ requester }) => requester),
        requesters,
      );
    },
  },
];
