import { strict as assert } from 'node:assert';
import { answered, item, recordOf } from './answers.js';
import { lacksLeases, type Scenario } from './scenario.js';

/** What becomes of a node whose lease has ended: nothing by itself, and what a contender needs is taken in this session only. */
export const burials: readonly Scenario[] = [
  {
    name: 'asleep-keeps: a node whose lease has ended keeps runs, locks and reservations that no one contends for',
    lacks: lacksLeases,
    timeoutMs: 60_000,
    run: async (bench) => {
      const { node, sleep } = await bench.sleeper();
      const observer = await bench.node();
      const [key, other] = [bench.key(), bench.key()];
      const token = await node.locked(key, await node.granted(key));
      await node.stop(other, [item(await node.granted(other, { hasEpilogue: true }))]);
      await sleep();
      const { version } = await observer.session(key);
      answered(await observer.claim(key, { mode: 'probe' }), 'busy');
      await observer.granted(key, { mode: 'concurrent' });
      const { runs, holder } = await observer.session(key);
      assert.deepEqual([runs[0]?.status, holder?.token], ['running', token]);
      assert.ok((await observer.session(key)).version > version, 'that was a change, and no burial');
      assert.equal((await observer.session(other)).reserved.length, 1);
      assert.equal((await observer.backend.readNode(node.id)).length, 2);
    },
  },
  {
    name: 'buried-by-lock: a contender that needs the lock takes it, and the run of its holder is lost',
    lacks: lacksLeases,
    timeoutMs: 60_000,
    run: async (bench) => {
      const { node, sleep } = await bench.sleeper();
      const contender = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const held = await node.locked(key, run);
      await sleep();
      let token = 0;
      await bench.eventually('the lock is granted', async () => {
        const answer = await contender.lock(key);
        if (answer.kind === 'granted') token = answer.token;
        return answer.kind === 'granted';
      });
      assert.ok(token > held);
      assert.deepEqual((await contender.session(key)).runs, []);
      const stored = await contender.run(run.runId, key);
      assert.deepEqual([stored?.status, stored?.reason], ['aborted', 'heartbeat-lost']);
    },
  },
  {
    name: 'buried-by-claim: a run of a node that is gone is in no one’s way, and its id is a duplicate with its outcome',
    lacks: lacksLeases,
    timeoutMs: 60_000,
    run: async (bench) => {
      const { node, sleep } = await bench.sleeper();
      const contender = await bench.node();
      const [key, runId] = [bench.key(), bench.key('run')];
      const run = await node.granted(key, { runId });
      await sleep();
      await bench.eventually('the id is a duplicate of an ended run', async () => {
        const answer = answered(await contender.claim(key, { runId }), 'duplicate');
        return answer.run.status === 'aborted' && answer.run.reason === 'heartbeat-lost';
      });
      const next = await contender.granted(key);
      assert.ok(next.generation > run.generation);
      await contender.granted(key, { runId, mode: 'concurrent', repeats: run.generation });
    },
  },
  {
    name: 'buried-with-record: the answer of an operation that has buried a node carries the record',
    lacks: lacksLeases,
    timeoutMs: 60_000,
    run: async (bench) => {
      const { node, sleep } = await bench.sleeper();
      const contender = await bench.node();
      const key = bench.key();
      await node.granted(key);
      await sleep();
      const { version: seen } = await contender.session(key);
      await bench.eventually('the session is granted', async () => {
        const answer = await contender.claim(key, { seen });
        if (answer.kind !== 'granted') return false;
        assert.deepEqual(
          recordOf(answer).runs.map(({ nodeId }) => nodeId),
          [contender.id],
        );
        return true;
      });
    },
  },
  {
    name: 'buried-here-only: a node that is buried in one session keeps what it has in others',
    lacks: lacksLeases,
    timeoutMs: 60_000,
    run: async (bench) => {
      const { node, sleep } = await bench.sleeper();
      const contender = await bench.node();
      const [key, other] = [bench.key(), bench.key()];
      await node.granted(key);
      const token = await node.locked(other, await node.granted(other));
      await sleep();
      await bench.eventually('one session is taken', async () => (await contender.claim(key)).kind === 'granted');
      const { runs, holder } = await contender.session(other);
      assert.deepEqual([runs[0]?.status, holder?.token], ['running', token]);
    },
  },
  {
    name: 'stopped-asleep: a stop and a takeover of a node that is asleep mark its runs, and that stays their outcome',
    lacks: lacksLeases,
    timeoutMs: 60_000,
    run: async (bench) => {
      const { node, sleep } = await bench.sleeper();
      const contender = await bench.node();
      const keys = [bench.key(), bench.key()];
      const [stopped, replaced] = [
        await node.granted(keys[0] as string),
        await node.granted(keys[1] as string, { hasEpilogue: true }),
      ];
      await sleep();
      await contender.stop(stopped.sessionKey, [item(stopped)]);
      const next = await contender.granted(replaced.sessionKey, { replaces: [item(replaced)] });
      assert.equal(next.epilogues.length, 1, 'its epilogue is reserved: it may wake up yet');
      const reasons = ['user', 'superseded'];
      for (const [at, run] of [stopped, replaced].entries()) {
        const stored = await contender.run(run.runId, run.sessionKey);
        assert.deepEqual([stored?.status, stored?.reason], ['stopping', reasons[at]]);
        // Only now it is needed: what was reserved must not hold up the lock for ever.
        await bench.eventually(
          'the lock is granted',
          async () => (await contender.lock(run.sessionKey)).kind === 'granted',
        );
        const quiet = { whenQuiet: true, mode: 'concurrent' } as const;
        const claimed = async (): Promise<boolean> => (await contender.claim(run.sessionKey, quiet)).kind === 'granted';
        await bench.eventually('the session is quiet', claimed);
        const buried = await contender.run(run.runId, run.sessionKey);
        assert.deepEqual([buried?.status, buried?.reason], ['aborted', reasons[at]]);
      }
    },
  },
  {
    name: 'list-before-burial: a run that a stop of the whole backend meant is buried with that reason, if it may stop it',
    lacks: lacksLeases,
    timeoutMs: 60_000,
    run: async (bench) => {
      const { node, sleep } = await bench.sleeper();
      const contender = await bench.node();
      const tag = bench.key('tag');
      const key = bench.key();
      await contender.list({ selector: { tag }, reason: 'shutdown' });
      const owner = { userId: 'ada' };
      const mode = 'concurrent';
      const meant = await node.granted(key, { mode, tags: [tag], owner });
      const foreign = await node.granted(key, { mode, tags: [tag], owner: { userId: 'bob' } });
      const untagged = await node.granted(key, { mode, owner });
      await sleep();
      await contender.list({ selector: { tag }, requester: owner, reason: 'policy' });
      await bench.eventually('the session is taken', async () => (await contender.claim(key)).kind === 'granted');
      const reasons = await Promise.all(
        [meant, foreign, untagged].map(async ({ runId }) => (await contender.run(runId, key))?.reason),
      );
      assert.deepEqual(reasons, ['policy', 'heartbeat-lost', 'heartbeat-lost']);
    },
  },
];
