import { strict as assert } from 'node:assert';
import { ADMIN, type Requester } from '../../index.js';
import { answered, item, recordOf } from './answers.js';
import type { Scenario } from './scenario.js';

/** Stops that are kept, for runs that are not there yet: those that were candidates before it, and no others. */
export const candidates: readonly Scenario[] = [
  {
    name: 'kept: a stop of the session is kept for runs that were candidates on other nodes when it came',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const since = answered(await there.claim(key, { mode: 'probe' }), 'busy').now;
      const requester = { userId: 'ada', deviceId: 'd' };
      const selector = { sessionKey: key, kind: 'chat' };
      const attempt = here.newAttempt();
      const record = { selector, requester, intent: false };
      const { number } = await here.stop(key, [], { attempt, reason: 'policy', record });
      assert.ok((number as number) > since);
      const { stops, now } = answered(await there.claim(key, { since }), 'stopped');
      const kept = {
        number,
        nodeId: here.id,
        attempt,
        selector,
        requester,
        reason: 'policy',
        intent: false,
        marked: [],
      };
      assert.deepEqual(
        stops.map((stop) => ({ ...stop })),
        [kept],
      );
      assert.deepEqual((await there.session(key)).stops, stops);
      assert.ok(now >= (number as number));
    },
  },
  {
    name: 'not-kept: a stop without a record has no number, and is not kept',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      assert.equal((await here.stop(key, [], { select: { sessionKey: key } })).number, undefined);
      assert.deepEqual((await here.session(key)).stops, []);
      await there.granted(key, { since: 0 });
    },
  },
  {
    name: 'marked: a kept stop names the runs that it marked, listed and selected, and no others',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const mode = 'concurrent';
      const [before, listed] = [await node.granted(key, { mode, tags: ['t'] }), await node.granted(key, { mode })];
      const [selected, other] = [await node.granted(key, { mode, tags: ['t'] }), await node.granted(key, { mode })];
      await node.stop(key, [item(before)]);
      const record = { selector: { sessionKey: key }, requester: undefined, intent: false };
      const answer = await node.stop(key, [item(listed)], { select: { sessionKey: key, tag: 't' }, record });
      const [stop] = recordOf(answer).stops;
      assert.deepEqual([...(stop?.marked ?? [])].sort(), [listed.runId, selected.runId].sort());
      assert.equal(await node.check(other), true);
    },
  },
  {
    name: 'since: a stop does not concern a later candidate, one that was none, one of its own node, and one that judged it',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const mode = 'concurrent';
      const before = answered(await there.claim(key, { mode: 'probe' }), 'busy').now;
      const number = await here.record(key);
      const after = answered(await there.claim(key, { mode: 'probe' }), 'busy').now;
      assert.ok(after >= number);
      await there.granted(key, { mode, since: after });
      await there.granted(key, { mode, since: undefined });
      await here.granted(key, { mode, since: before });
      await there.granted(key, { mode, since: before, judged: number });
      answered(await there.claim(key, { mode, since: before }), 'stopped');
      answered(await there.claim(key, { mode, since: before, judged: number - 1 }), 'stopped');
    },
  },
  {
    name: 'now: the counter of an answer is not below any number before, and what is stopped after it has a higher one',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      let last = 0;
      for (let turn = 0; turn < 4; turn++) {
        const number = await here.record(key);
        assert.ok(number > last);
        const probed = answered(await there.claim(key, { mode: 'probe' }), 'busy').now;
        const stopped = answered(await there.claim(key, { since: 0 }), 'stopped').now;
        assert.ok(probed >= number && stopped >= probed);
        last = stopped;
        if (turn % 2 === 0) await here.backend.forget({ sessionKey: key, stop: number });
      }
    },
  },
  {
    name: 'since-of-queued: a run that is told busy, and stopped on seeing it, is stopped; the next one is not',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const first = await here.granted(key);
      const queued = answered(await there.claim(key), 'busy');
      const record = { selector: { sessionKey: key }, requester: undefined, intent: false };
      await here.stop(key, [item(first)], { record });
      const next = answered(await there.claim(key, { mode: 'probe' }), 'busy');
      answered(await there.claim(key, { since: queued.now }), 'stopped');
      await there.granted(key, { since: next.now });
    },
  },
  {
    name: 'intent: it is kept for the run of its id alone, on every node, until it is forgotten',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const runId = there.newRunId();
      const selector = { sessionKey: key, runId };
      const number = await here.record(key, { selector, requester: { userId: 'eve' }, intent: true });
      for (const node of [here, there]) {
        const { stops } = answered(await node.claim(key, { runId }), 'stopped');
        assert.deepEqual(
          stops.map((stop) => [stop.number, stop.intent]),
          [[number, true]],
        );
      }
      await there.granted(key, { mode: 'concurrent', since: 0 });
      answered(await there.claim(key, { runId, mode: 'concurrent' }), 'stopped');
      await there.granted(key, { runId, mode: 'concurrent', judged: number });
    },
  },
  {
    name: 'named: a stop that is sent again after a failover meets the runs that it names, although their claims come later',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const lost = await here.record(key);
      await here.backend.forget({ sessionKey: key, stop: lost });
      const runId = there.newRunId();
      const record = { selector: { sessionKey: key }, requester: undefined, intent: false };
      await here.stop(key, [], { record, number: lost, named: [runId] });
      assert.deepEqual((await there.session(key)).stops[0]?.marked, [runId]);
      const { stops } = answered(await there.claim(key, { runId }), 'stopped');
      assert.deepEqual(
        stops.map(({ number }) => number),
        [lost],
      );
      await there.granted(key);
    },
  },
  {
    name: 'forget-stop: a forgotten stop takes no other with it',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      const [first, second] = [await here.record(key), await here.record(key)];
      await here.backend.forget({ sessionKey: key, stop: first });
      const { stops } = answered(await there.claim(key, { since: 0 }), 'stopped');
      assert.ok(stops.some(({ number }) => number === second));
      assert.equal(await there.check(run), true);
    },
  },
  {
    name: 'requester: a stop keeps exactly who asked: a user, an administrator, the host',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const requesters: readonly (Requester | undefined)[] = [{ userId: 'ada', connId: 'c' }, ADMIN, undefined];
      for (const requester of requesters) await here.record(key, { requester });
      const { stops } = answered(await there.claim(key, { since: 0 }), 'stopped');
      for (const kept of [stops, (await there.session(key)).stops]) {
        assert.deepEqual(
          kept.map(({ requester }) => requester),
          requesters,
        );
      }
    },
  },
];
