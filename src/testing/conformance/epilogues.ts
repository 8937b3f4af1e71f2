import { strict as assert } from 'node:assert';
import type { RunRef } from '../../backend/index.js';
import { answered, item } from './answers.js';
import type { TestNode } from './node.js';
import type { Scenario } from './scenario.js';

/** A stopped run may write once more, before its successor does: its place is reserved by the stop itself. */
export const epilogues: readonly Scenario[] = [
  {
    name: 'epilogue-token: the stop that reserves it revokes the grant; its token is above that one and below later ones',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const revoked = await node.locked(key, run);
      const token = await reserved(node, run, { revoke: revoked });
      assert.ok(token > revoked);
      assert.equal(await node.locked(key, run, { reserved: token }), token);
      const holder = await node.holder(key);
      assert.deepEqual([holder?.token, holder?.runId, holder?.isEpilogue], [token, run.runId, true]);
      await node.unlock(key, token);
      assert.ok((await node.locked(key)) > token);
    },
  },
  {
    name: 'epilogue-first: no one is granted over a reservation, on no node',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      const token = await reserved(here, run);
      assert.equal(answered(await here.lock(key), 'busy').holder, undefined);
      const next = await there.granted(key);
      assert.equal(answered(await there.lock(key, next), 'busy').holder, undefined);
      await here.locked(key, run, { reserved: token });
      await here.unlock(key, token);
      await there.locked(key, next);
    },
  },
  {
    name: 'epilogue-from-elsewhere: a stop by another node reserves it, and the run’s own node takes it',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key, { hasEpilogue: true });
      const held = await here.locked(key, run);
      const next = await there.granted(key, { replaces: [item(run)] });
      answered(await there.lock(key, next), 'busy');
      const [record] = await here.backend.readNode(here.id);
      const token = record?.reserved[0]?.token as number;
      assert.deepEqual([record?.sessionKey, record?.reserved[0]?.runId], [key, run.runId]);
      assert.deepEqual(
        next.epilogues.map((epilogue) => epilogue.token),
        [token],
      );
      await here.unlock(key, held);
      answered(await there.lock(key, next), 'busy');
      await here.locked(key, run, { reserved: token });
      await here.unlock(key, token);
      assert.ok((await there.locked(key, next)) > token);
    },
  },
  {
    name: 'epilogue-order: several run in the order of the cuts, each once',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const [a, b] = [await node.granted(key), await node.granted(key, { mode: 'concurrent' })];
      const answer = await node.stop(key, [item(b, { hasEpilogue: true }), item(a, { hasEpilogue: true })]);
      const tokens = [b, a].map((run) => answer.epilogues.find(({ runId }) => runId === run.runId)?.token as number);
      const [first, second] = tokens as [number, number];
      assert.ok(second > first);
      answered(await node.lock(key, a, { reserved: second }), 'busy');
      await node.locked(key, b, { reserved: first });
      answered(await node.lock(key, a, { reserved: second }), 'busy');
      await node.unlock(key, first);
      await node.locked(key, a, { reserved: second });
      await node.unlock(key, second);
      answered(await node.lock(key, a, { reserved: second }), 'stale');
      await node.locked(key);
    },
  },
  {
    name: 'epilogue-at-takeover: a takeover reserves it in its own operation, before the successor can lock',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      const revoked = await here.locked(key, run);
      const next = await here.granted(key, { replaces: [item(run, { revoke: revoked, hasEpilogue: true })] });
      const [epilogue] = next.epilogues;
      assert.equal(epilogue?.runId, run.runId);
      answered(await there.lock(key), 'busy');
      await here.locked(key, run, { reserved: epilogue?.token as number });
    },
  },
  {
    name: 'epilogue-once: a second stop names the same token, and after its grant there is none',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      const token = await reserved(node, run);
      assert.equal(await reserved(node, run), token);
      await node.locked(key, run, { reserved: token });
      assert.deepEqual((await node.stop(key, [item(run, { hasEpilogue: true })])).epilogues, []);
      await node.unlock(key, token);
      assert.deepEqual((await node.stop(key, [item(run, { hasEpilogue: true })])).epilogues, []);
      await node.locked(key);
    },
  },
  {
    name: 'epilogue-too-late: after a later grant a second stop reserves none',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const run = await node.granted(key);
      await node.stop(key, [item(run)]);
      await node.unlock(key, await node.locked(key));
      assert.deepEqual((await node.stop(key, [item(run, { hasEpilogue: true })])).epilogues, []);
    },
  },
  {
    name: 'epilogue-in-flight: a revoked grant does not take an epilogue with it, which waits behind a section in flight',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const [a, b] = [await node.granted(key), await node.granted(key, { mode: 'concurrent' })];
      const inFlight = await node.locked(key, a);
      const token = await reserved(node, b);
      const busy = answered(await node.lock(key, b, { reserved: token }), 'busy');
      assert.equal(busy.holder?.token, inFlight);
      await node.stop(key, [item(a, { revoke: inFlight })]);
      await node.locked(key, b, { reserved: token });
    },
  },
  {
    name: 'epilogue-untaken: one that is not taken is dropped when its run ends, or when it is given back',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const first = await node.granted(key);
      const dropped = await reserved(node, first);
      await node.ended(first, { status: 'aborted' });
      answered(await node.lock(key, first, { reserved: dropped }), 'stale');
      const second = await node.granted(key);
      const returned = await reserved(node, second);
      assert.equal(await node.unlock(key, returned), true);
      assert.equal(await node.unlock(key, returned), false);
      answered(await node.lock(key, second, { reserved: returned }), 'stale');
      await node.locked(key);
    },
  },
  {
    name: 'epilogue-refused-end: a completion that comes too late leaves the reservation, and its answer names it',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key, { hasEpilogue: true });
      const [epilogue] = (await there.stop(key, [item(run)])).epilogues;
      const token = epilogue?.token as number;
      assert.equal(answered(await here.end(run), 'stopping').epilogue, token);
      answered(await there.lock(key), 'busy');
      await here.locked(key, run, { reserved: token });
      await here.unlock(key, token);
      await here.ended(run, { status: 'aborted' });
      await there.locked(key);
    },
  },
];

async function reserved(node: TestNode, run: RunRef, { revoke }: { readonly revoke?: number } = {}): Promise<number> {
  const answer = await node.stop(run.sessionKey, [item(run, { revoke, hasEpilogue: true })]);
  const [epilogue] = answer.epilogues;
  assert.equal(epilogue?.runId, run.runId);
  return epilogue?.token as number;
}
