import { strict as assert } from 'node:assert';
import type { Snapshot } from '../../backend/index.js';
import { item } from './answers.js';
import type { Bench } from './bench.js';
import { hearing } from './heard.js';
import type { TestNode } from './node.js';
import type { Scenario } from './scenario.js';

async function listening(bench: Bench): Promise<TestNode> {
  const node = await bench.node();
  node.listen();
  return node;
}

/** Notices are hints: in the place of any of them a node may be told to read everything again, and none is needed. */
export const notices: readonly Scenario[] = [
  {
    name: 'notice-of-stop: a node hears that the record of its run has changed, by a stop and by a takeover',
    run: async (bench) => {
      const [here, there] = [await listening(bench), await listening(bench)];
      const [key, other] = [bench.key(), bench.key()];
      const stopped = await here.granted(key);
      const replaced = await here.granted(other);
      const { version } = await there.stop(key, [item(stopped)]);
      const next = await there.granted(other, { replaces: [item(replaced)] });
      await bench.eventually('it hears of the stop', () => here.hasHeard(key, version));
      await bench.eventually('it hears of the takeover', () => here.hasHeard(other, next.version));
    },
  },
  {
    name: 'notice-of-token: a node that has only a grant in a session, or only a reservation, hears of its changes',
    run: async (bench) => {
      const [here, there] = [await listening(bench), await listening(bench)];
      const [held, due] = [bench.key(), bench.key()];
      await here.locked(held);
      const inHeld = await there.granted(held);
      await bench.eventually('the holder hears', () => here.hasHeard(held, inHeld.version));
      const run = await here.granted(due, { hasEpilogue: true });
      await there.stop(due, [item(run)]);
      const inDue = await there.granted(due);
      await bench.eventually('the one whose epilogue is due hears', () => here.hasHeard(due, inDue.version));
    },
  },
  {
    name: 'notice-after-busy: a node that was told busy hears of the lock that is free, and of the end of the run',
    run: async (bench) => {
      const [here, there] = [await listening(bench), await listening(bench)];
      const key = bench.key();
      const run = await here.granted(key);
      const token = await here.locked(key, run);
      await there.claim(key);
      await there.lock(key);
      await here.unlock(key, token);
      await bench.eventually('it hears of the lock', () => there.hasHeard(key, here.seenOf(key)));
      assert.equal(await there.holder(key), undefined);
      await here.ended(run, { status: 'failed', retain: true });
      await bench.eventually('it hears of the end', () => there.hasHeard(key, here.seenOf(key)));
      assert.deepEqual(await there.runsOf(key), []);
    },
  },
  {
    name: 'notice-after-read: a node hears of a change also if it has read the run or the record in the meantime',
    run: async (bench) => {
      const [here, there] = [await listening(bench), await listening(bench)];
      for (let i = 0; i < 10; i++) {
        const key = bench.key();
        const run = await here.granted(key);
        const { version } = await there.stop(key, [item(run)]);
        if (i % 2 === 0) await here.run(run.runId, key);
        else await here.session(key);
        await bench.eventually('it hears of the stop', () => here.hasHeard(key, version));
      }
    },
  },
  {
    name: 'notice-of-list: all other nodes that have a run hear that the list of the whole backend has grown',
    run: async (bench) => {
      const [here, there, third] = [await listening(bench), await listening(bench), await listening(bench)];
      for (const node of [there, third]) await node.granted(bench.key());
      const number = await here.list();
      for (const node of [there, third]) {
        await bench.eventually('it hears of the stop', () =>
          node.heard.some((heard) => heard.notice === 'gap' || (heard.notice === 'listed' && heard.version >= number)),
        );
        for (const heard of node.heard) {
          if (heard.notice !== 'listed' || heard.list === undefined) continue;
          assert.equal(heard.list.version, heard.version);
          if (heard.version >= number) assert.ok(heard.list.stops.some((stop) => stop.number === number));
        }
      }
      const { stops } = await there.backend.readStops();
      assert.ok(stops.some((stop) => stop.number === number));
    },
  },
  {
    name: 'notice-after-change: what is told can be read already, and a record that comes with it is of its version',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const read: Promise<{ readonly told: number; readonly record: Snapshot }>[] = [];
      const look = (told: number): void => {
        read.push(here.session(key).then((record) => ({ told, record })));
      };
      const remove = here.backend.subscribe(
        here.id,
        hearing((heard) => {
          if (heard.notice === 'gap') look(0);
          if (heard.notice !== 'changed' || heard.sessionKey !== key) return;
          look(heard.version);
          if (heard.snapshot !== undefined) assert.equal(heard.snapshot.version, heard.version);
        }),
      );
      const run = await here.granted(key, { hasEpilogue: true });
      const { version } = await there.stop(key, [item(run)]);
      await there.granted(key);
      const isTold = async (): Promise<boolean> =>
        (await Promise.all(read)).some(({ told }) => told === 0 || told >= version);
      await bench.eventually('the owner hears it', isTold);
      for (const { told, record } of await Promise.all(read)) {
        assert.ok(record.version >= told, 'no notice is ahead of the record');
        if (told >= version) assert.equal(record.runs[0]?.status, 'stopping');
      }
      remove();
    },
  },
  {
    name: 'notice-not-needed: a node that hears nothing finds in its next answer, and in the record, what was done',
    run: async (bench) => {
      const [deaf, there] = [await bench.node(), await listening(bench)];
      const key = bench.key();
      const run = await deaf.granted(key);
      const seen = deaf.seenOf(key);
      await there.stop(key, [item(run)], { reason: 'policy' });
      const [record] = await deaf.backend.readNode(deaf.id);
      assert.deepEqual([record?.runs[0]?.status, record?.runs[0]?.reason], ['stopping', 'policy']);
      const { snapshot } = await deaf.lock(key, run, { seen });
      assert.equal(snapshot?.runs[0]?.status, 'stopping');
    },
  },
  {
    name: 'notice-removed: nothing is heard after the remover was called, and others still hear',
    run: async (bench) => {
      const [gone, here, there] = [await listening(bench), await listening(bench), await listening(bench)];
      const [key, other] = [bench.key(), bench.key()];
      const left = await gone.granted(key);
      const run = await here.granted(other);
      gone.deafen();
      gone.heard.length = 0;
      await there.stop(key, [item(left)]);
      const { version } = await there.stop(other, [item(run)]);
      await bench.eventually('the other node hears', () => here.hasHeard(other, version));
      assert.deepEqual(gone.heard, []);
    },
  },
  {
    name: 'two-subscriptions: two nodes of one backend both hear, and a remover takes away its own subscription only',
    run: async (bench) => {
      const backend = await bench.connect();
      const [here, beside, there] = [await bench.node(backend), await bench.node(backend), await listening(bench)];
      for (const node of [here, beside]) node.listen();
      const key = bench.key();
      const runs = [await here.granted(key), await beside.granted(key, { mode: 'concurrent' })];
      const first = await there.stop(key, [item(runs[0] ?? assert.fail())]);
      for (const node of [here, beside]) {
        await bench.eventually('both hear', () => node.hasHeard(key, first.version));
      }
      here.deafen();
      const second = await there.stop(key, [item(runs[1] ?? assert.fail())]);
      await bench.eventually('the other still hears', () => beside.hasHeard(key, second.version));
    },
  },
  {
    name: 'subscribed-again: a node that subscribed again before its first remover was called still hears',
    run: async (bench) => {
      const [node, there] = [await bench.node(), await listening(bench)];
      const key = bench.key();
      const removeFirst = node.backend.subscribe(
        node.id,
        hearing(() => {}),
      );
      node.listen();
      removeFirst();
      removeFirst();
      const run = await node.granted(key);
      const { version } = await there.stop(key, [item(run)]);
      await bench.eventually('it hears', () => node.hasHeard(key, version));
    },
  },
  {
    name: 'subscribed-often: nodes that have subscribed 50 times between them hear of a stop',
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
      for (const node of nodes) node.heard.length = 0;
      const all = runs.map((run) => item(run));
      const { version } = await (stopper ?? assert.fail()).stop(key, all);
      for (const owner of owners) await bench.eventually('every owner hears it', () => owner.hasHeard(key, version));
    },
  },
  {
    name: 'close-twice: a backend is closed once for each control, and serves those that are still subscribed',
    run: async (bench) => {
      const backend = await bench.connect();
      const [gone, here, there] = [await bench.node(backend), await bench.node(backend), await listening(bench)];
      for (const node of [gone, here]) node.listen();
      const key = bench.key();
      const run = await here.granted(key);
      gone.deafen();
      await backend.close();
      assert.equal(await here.check(run), true);
      const { version } = await there.stop(key, [item(run)]);
      await bench.eventually('the one that is left hears', () => here.hasHeard(key, version));
      await here.ended(run, { status: 'aborted' });
      here.deafen();
      await backend.close();
    },
  },
];
