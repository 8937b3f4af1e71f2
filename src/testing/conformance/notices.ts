import { strict as assert } from 'node:assert';
import type { RunRef } from '../../index.js';
import { eventually } from './bench.js';
import { item, type TestNode } from './node.js';
import type { Scenario } from './scenario.js';

/** Notices are hints: what is told is true, and in the place of any of them a node may be told to read everything again. */
export const notices: readonly Scenario[] = [
  {
    name: 'notice: a node hears that another has stopped its run, why, and by whom it is superseded',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      for (const node of [here, there]) node.listen();
      const key = bench.key();
      const run = await here.granted(key);
      const next = await there.granted(key, { replaces: [item(run)] });
      await eventually('the owner hears it', () => here.hasHeard('stopped'));
      assert.equal(await here.check(run), false);
      for (const { runs, reason, supersededBy } of here.said('stopped')) {
        assert.deepEqual(runs.map(refOf), [refOf(run)]);
        assert.equal(reason, 'superseded');
        assert.ok(supersededBy === undefined || supersededBy === next.runId);
      }
      assert.deepEqual(there.said('stopped'), []);
    },
  },
  {
    name: 'notice: a node is told of its own runs and of nobody else’s; of what it stopped itself it need not be told',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      for (const node of [here, there]) node.listen();
      const key = bench.key();
      const own = await here.granted(key);
      const other = await there.granted(key, { mode: 'concurrent' });
      await here.stop(key, [item(own), item(other)]);
      await eventually('the other hears of its run', () => there.hasHeard('stopped'));
      for (const { runs } of here.said('stopped')) assert.deepEqual(runs.map(refOf), [refOf(own)]);
      for (const { runs } of there.said('stopped')) assert.deepEqual(runs.map(refOf), [refOf(other)]);
    },
  },
  {
    name: 'notice: a recorded session stop reaches other nodes that have a run there, an intent reaches none',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      for (const node of [here, there]) node.listen();
      const key = bench.key();
      await there.granted(key);
      await here.record(key, { selector: { sessionKey: key, runId: 'x' }, requester: undefined, intent: true });
      const number = await here.record(key, { selector: { sessionKey: key }, requester: undefined, intent: false });
      await eventually('the other hears it', () => there.hasHeard('recorded'));
      for (const { stop, sessionKey } of there.said('recorded')) {
        assert.deepEqual([sessionKey, stop.number], [key, number]);
      }
      assert.deepEqual(here.said('recorded'), []);
    },
  },
  {
    name: 'notice: a node that was told busy hears of the end, with the outcome, and of a lock that is free',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      for (const node of [here, there]) node.listen();
      const key = bench.key();
      const run = await here.granted(key);
      const token = await here.locked(key, run);
      await there.claim(key);
      await there.lock(key);
      there.heard.length = 0;
      await here.unlock(key, token);
      await eventually('the lock is told', () => there.hasHeard('changed'));
      assert.equal(await there.holder(key), undefined);
      there.heard.length = 0;
      await here.end(run, { status: 'failed', retain: true });
      await eventually('the end is told', () => there.hasHeard('changed'));
      for (const { ended } of there.said('changed')) {
        if (ended !== undefined) assert.deepEqual([ended.runId, ended.status], [run.runId, 'failed']);
      }
    },
  },
  {
    name: 'notice: what is told can be read already',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      const seen: Promise<boolean>[] = [];
      here.heard.push = (...heard) => {
        for (const { notice } of heard) if (notice !== 'changed') seen.push(here.check(run));
        return 0;
      };
      here.listen();
      await here.check(run);
      await there.stop(key, [item(run)]);
      await eventually('the owner hears it', () => seen.length > 0);
      assert.equal((await Promise.all(seen)).at(-1), false);
    },
  },
  {
    name: 'notice: nothing is heard after the remover was called, and others still hear',
    run: async (bench) => {
      const [gone, here, there] = [await bench.node(), await bench.node(), await bench.node()];
      for (const node of [gone, here, there]) node.listen();
      const [key, other] = [bench.key(), bench.key()];
      const left = await gone.granted(key);
      const run = await here.granted(other);
      gone.deafen();
      gone.heard.length = 0;
      await there.stop(key, [item(left)]);
      await there.stop(other, [item(run)]);
      await eventually('the other node hears', () => here.hasHeard('stopped'));
      assert.deepEqual(gone.heard, []);
    },
  },
  {
    name: '40. nodes that have subscribed 50 times between them hear a stop once',
    run: async (bench) => {
      const nodes: TestNode[] = [];
      for (let count = 0; count < 10; count++) nodes.push(await bench.node());
      for (let turn = 0; turn < 5; turn++) {
        for (const node of nodes) {
          node.deafen();
          node.listen();
        }
      }
      const key = bench.key();
      const [stopper, ...owners] = nodes;
      const runs = await Promise.all(owners.map((node) => node.granted(key, { mode: 'concurrent' })));
      await stopper?.stop(
        key,
        runs.map((run) => item(run)),
      );
      for (const [at, owner] of owners.entries()) {
        await eventually('every owner hears it', () => owner.hasHeard('stopped'));
        const told = owner.said('stopped').flatMap((notice) => notice.runs.map(refOf));
        if (told.length > 0) assert.deepEqual(told, [refOf(runs[at] as RunRef)]);
      }
    },
  },
];

function refOf({ sessionKey, runId, generation }: RunRef): RunRef {
  return { sessionKey, runId, generation };
}
