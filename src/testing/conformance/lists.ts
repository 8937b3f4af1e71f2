import { strict as assert } from 'node:assert';
import type { ListedStop } from '../../backend/index.js';
import { ADMIN, type Requester } from '../../index.js';
import { answered } from './answers.js';
import type { Bench } from './bench.js';
import type { TestNode } from './node.js';
import type { Scenario } from './scenario.js';

/** The list is shared with whoever uses the store: what these nodes have not appended is left aside. */
async function listedBy(reader: TestNode, ...nodes: readonly TestNode[]): Promise<readonly ListedStop[]> {
  const { stops } = await reader.backend.readStops();
  return stops.filter(({ nodeId }) => nodes.some(({ id }) => id === nodeId));
}

async function twoNodes(bench: Bench): Promise<[TestNode, TestNode]> {
  return [await bench.node(), await bench.node()];
}

/** Stops of the whole backend: a list that every node reads, and that marks nothing by itself. */
export const lists: readonly Scenario[] = [
  {
    name: 'list: stops of the whole backend are read by all, whole and in their order, and each has a higher number',
    run: async (bench) => {
      const [here, there] = await twoNodes(bench);
      const before = (await there.backend.readStops()).version;
      const selector = { owner: { userId: bench.key('user') } };
      const attempt = here.newAttempt();
      const requester = { userId: 'ada' };
      const first = await here.list({ attempt, selector, requester, reason: 'policy' });
      const second = await there.list();
      const third = await here.list();
      assert.ok(before < first && first < second && second < third);
      const listed = await listedBy(there, here, there);
      assert.deepEqual(
        listed.map(({ number }) => number),
        [first, second, third],
      );
      assert.deepEqual(
        { ...listed[0] },
        { number: first, nodeId: here.id, attempt, selector, requester, reason: 'policy' },
      );
      assert.ok((await there.backend.readStops()).version >= third);
    },
  },
  {
    name: 'list-marks-nothing: a stop of the whole backend marks no run, and a claim is not held against it',
    run: async (bench) => {
      const [here, there] = await twoNodes(bench);
      const key = bench.key();
      const tag = bench.key('tag');
      const run = await there.granted(key, { tags: [tag] });
      const { listNow } = answered(await there.claim(key, { mode: 'probe' }), 'busy');
      await here.list({ selector: { tag } });
      assert.equal(await there.check(run), true);
      await there.granted(key, { mode: 'concurrent', tags: [tag], listSince: listNow });
    },
  },
  {
    name: 'list-twice: a stop of the whole backend that is sent again gets its number again, and is listed once',
    run: async (bench) => {
      const [here, there] = await twoNodes(bench);
      const attempt = here.newAttempt();
      const first = await here.list({ attempt });
      const other = await there.list({ attempt });
      assert.ok(other > first, 'an attempt of another node is another stop');
      assert.equal(await here.list({ attempt }), first);
      assert.deepEqual(
        (await listedBy(there, here, there)).map(({ number }) => number),
        [first, other],
      );
    },
  },
  {
    name: 'list-forgotten: a stop of the whole backend is kept until it is forgotten, and takes no other with it',
    run: async (bench) => {
      const [here, there] = await twoNodes(bench);
      const [first, second] = [await here.list(), await here.list()];
      await there.backend.forget({ listed: first });
      const left = (await listedBy(there, here)).map(({ number }) => number);
      assert.ok(left.includes(second));
      const { version } = await there.backend.readStops();
      await there.backend.forget({ listed: second });
      assert.ok((await there.backend.readStops()).version >= version, 'its version does not go back');
      assert.ok((await here.list()) > second);
    },
  },
  {
    name: 'list-requester: a stop of the whole backend keeps exactly who asked',
    run: async (bench) => {
      const [here, there] = await twoNodes(bench);
      const requesters: readonly (Requester | undefined)[] = [{ userId: 'ada', connId: 'c' }, ADMIN, undefined];
      for (const requester of requesters) await here.list({ requester });
      assert.deepEqual(
        (await listedBy(there, here)).map(({ requester }) => requester),
        requesters,
      );
    },
  },
  {
    name: 'list-now: the list’s counter in an answer is not below any stop of the whole backend, and below every later one',
    run: async (bench) => {
      const [here, there] = await twoNodes(bench);
      const key = bench.key();
      await there.granted(key);
      for (let turn = 0; turn < 3; turn++) {
        const before = await here.list();
        const busy = answered(await there.claim(key), 'busy').listNow;
        await here.record(key);
        const stopped = answered(await there.claim(key, { since: 0 }), 'stopped').listNow;
        const after = await here.list();
        assert.ok(before <= busy && busy <= stopped && stopped < after);
      }
    },
  },
  {
    name: 'list-since: a run is held against the list since it was a candidate, or since it began if it was none',
    run: async (bench) => {
      const [here, there] = await twoNodes(bench);
      const key = bench.key();
      const { listNow } = answered(await there.claim(key, { mode: 'probe' }), 'busy');
      const between = await here.list();
      const queued = await there.granted(key, { listSince: listNow });
      const bare = await there.granted(key, { mode: 'concurrent' });
      const after = await here.list();
      assert.equal(queued.listSince, listNow);
      assert.ok(queued.listSince < between, 'what came while it was queued concerns it');
      assert.ok(between <= bare.listSince && bare.listSince < after, 'what came before it does not');
      const stored = await here.runsOf(key);
      assert.deepEqual(
        stored.map(({ listSince }) => listSince),
        [queued.listSince, bare.listSince],
      );
      assert.equal((await here.run(queued.runId, key))?.listSince, listNow);
    },
  },
  {
    name: 'list-intent: an intent of the whole backend is told to every later claim of its id, in any session, and to no other',
    run: async (bench) => {
      const [here, there] = await twoNodes(bench);
      const [key, other] = [bench.key(), bench.key()];
      const runId = there.newRunId();
      const requester = { userId: 'eve' };
      const selector = { runId };
      const plain = await here.list({ selector });
      await there.ended(await there.granted(key, { runId }));
      const number = await here.list({ selector, requester, reason: 'policy', detail: 'early', intent: true });
      for (const node of [here, there]) {
        for (const sessionKey of [key, other]) {
          const { stops, listNow } = answered(await node.claim(sessionKey, { runId }), 'stopped');
          assert.ok(listNow >= number);
          assert.deepEqual(
            stops.map(({ attempt: _, ...stop }) => stop),
            [
              {
                number,
                nodeId: here.id,
                selector,
                requester,
                reason: 'policy',
                detail: 'early',
                intent: true,
                marked: [],
              },
            ],
          );
        }
        answered(await node.claim(key, { runId, mode: 'probe' }), 'stopped');
      }
      assert.deepEqual(
        (await listedBy(there, here)).map((stop) => [stop.number, stop.intent === true]),
        [
          [plain, false],
          [number, true],
        ],
      );
      await there.granted(key, { since: 0, listSince: 0 });
      answered(await there.claim(other, { runId, listJudged: number - 1 }), 'stopped');
      await there.granted(other, { runId, listJudged: number });
    },
  },
  {
    name: 'list-intent-forgotten: a forgotten intent of the whole backend concerns no claim any more',
    run: async (bench) => {
      const [here, there] = await twoNodes(bench);
      const key = bench.key();
      const runId = there.newRunId();
      const number = await here.list({ selector: { runId }, intent: true });
      answered(await there.claim(key, { runId }), 'stopped');
      await here.backend.forget({ listed: number });
      await there.granted(key, { runId });
    },
  },
  {
    name: 'list-resent: a stop of the whole backend that a failover lost is listed again under its number',
    run: async (bench) => {
      const [here, there] = await twoNodes(bench);
      const number = await here.list();
      await here.backend.forget({ listed: number });
      const { version } = await there.backend.readStops();
      const attempt = here.newAttempt();
      assert.equal(await here.list({ attempt, number }), number);
      assert.ok((await listedBy(there, here)).some((stop) => stop.number === number));
      assert.ok((await there.backend.readStops()).version >= version);
    },
  },
];
