import { strict as assert } from 'node:assert';
import type { RunControl } from '../../index.js';
import type { Bench } from './bench.js';
import type { Scenario } from './scenario.js';

const ADA = { userId: 'ada' };
const EVE = { userId: 'eve' };

async function twoControls(bench: Bench): Promise<[RunControl, RunControl]> {
  return [await bench.control(), await bench.control()];
}

/** What users see: two controls on the backend are two servers. */
export const controls: readonly Scenario[] = [
  {
    name: 'control-takeover: a takeover on another node: a higher generation at once, the old run and its grant are lost',
    run: async (bench) => {
      const [here, there] = await twoControls(bench);
      const key = bench.key();
      const old = await bench.begin(here, { sessionKey: key });
      const grant = await here.locks.acquire(key, { holder: old });
      const next = await bench.begin(there, { sessionKey: key });
      assert.ok(next.generation > old.generation);
      await bench.eventually('the old run is cut', () => !old.isCurrent());
      assert.deepEqual([old.status, old.reason, grant.lost.aborted], ['stopping', 'superseded', true]);
      const lock = await there.locks.acquire(key, { holder: next });
      assert.ok(lock.token > grant.token);
      grant.release();
      assert.equal(lock.isHeld(), true);
      lock.release();
    },
  },
  {
    name: 'control-stop: a stop on one node ends the run of another, and the receipt says so',
    run: async (bench) => {
      const [here, there] = await twoControls(bench);
      const key = bench.key();
      const run = await bench.begin(there, { sessionKey: key });
      const receipt = await here.abort({ sessionKey: key });
      assert.deepEqual([receipt.result, receipt.runIds], ['aborted', [run.id]]);
      await bench.eventually('the run is cut', () => !run.isCurrent());
      assert.equal(run.reason, 'user');
    },
  },
  {
    name: 'control-stranger: a stranger stops, replaces and reads nothing on another node',
    run: async (bench) => {
      const [here, there] = await twoControls(bench);
      const key = bench.key();
      const run = await bench.begin(there, { sessionKey: key, owner: ADA });
      const receipt = await here.abort({ sessionKey: key }, { requester: EVE });
      assert.deepEqual(receipt.runIds, []);
      const takeover = await here.runs.begin({ sessionKey: key, owner: EVE });
      assert.equal(takeover.status === 'rejected' && takeover.cause, 'forbidden');
      const busy = await here.runs.begin({ sessionKey: key, owner: EVE, whenBusy: 'reject' });
      assert.deepEqual(busy.status === 'rejected' && busy.runIds, []);
      assert.equal(run.isCurrent(), true);
    },
  },
  {
    name: 'control-queue: a queued run starts when the run of another node ends',
    run: async (bench) => {
      const [here, there] = await twoControls(bench);
      const key = bench.key();
      const run = await bench.begin(there, { sessionKey: key });
      const next = await here.runs.begin({ sessionKey: key, whenBusy: 'enqueue' });
      if (next.status !== 'queued') assert.fail(next.status);
      run.complete();
      const started = await next.started;
      assert.equal(started.status, 'started');
      assert.ok(next.run.generation > run.generation);
      next.run.complete();
    },
  },
  {
    name: 'control-stop-queued: a session stop ends what is queued on another node',
    run: async (bench) => {
      const [here, there] = await twoControls(bench);
      const key = bench.key();
      const run = await bench.begin(there, { sessionKey: key });
      const next = await here.runs.begin({ sessionKey: key, whenBusy: 'enqueue' });
      if (next.status !== 'queued') assert.fail(next.status);
      await there.abort({ sessionKey: key });
      const started = await next.started;
      assert.equal(started.status, 'aborted');
      assert.equal(run.isCurrent(), false);
    },
  },
  {
    name: 'control-duplicate: the same run id on another node is a duplicate, and shares the outcome',
    run: async (bench) => {
      const [here, there] = await twoControls(bench);
      const [key, runId] = [bench.key(), bench.key('run')];
      const first = await bench.begin(there, { sessionKey: key, runId });
      const second = await here.runs.begin({ sessionKey: key, runId });
      if (second.status !== 'duplicate') assert.fail(second.status);
      assert.equal(second.run.generation, first.generation);
      first.complete();
      assert.equal((await second.outcome).status, 'completed');
    },
  },
  {
    name: 'control-intent: an intent on one node ends the run that begins on another',
    run: async (bench) => {
      const [here, there] = await twoControls(bench);
      const [key, runId] = [bench.key(), bench.key('run')];
      const beside = await bench.begin(there, { sessionKey: key });
      await here.abort({ sessionKey: key, runId }, { intent: true });
      const begun = await there.runs.begin({ sessionKey: key, runId });
      assert.equal(begun.status, 'aborted');
      assert.equal(beside.isCurrent(), true);
    },
  },
  {
    name: 'control-quiet: startWhen quiet waits for the stopping run of another node',
    run: async (bench) => {
      const [here, there] = await twoControls(bench);
      const key = bench.key();
      const run = await bench.begin(there, { sessionKey: key });
      await there.abort({ runId: run.id });
      const next = await here.runs.begin({ sessionKey: key, startWhen: 'quiet' });
      if (next.status !== 'queued') assert.fail(next.status);
      run.complete();
      assert.equal((await next.started).status, 'started');
      next.run.complete();
    },
  },
  {
    name: 'control-epilogue: an epilogue writes before the next holder on another node does, with a token in between',
    run: async (bench) => {
      const [here, there] = await twoControls(bench);
      const key = bench.key();
      const order: string[] = [];
      const tokens: number[] = [];
      const run = await bench.begin(here, { sessionKey: key });
      run.epilogue(({ token }) => {
        order.push('epilogue');
        tokens.push(token);
      });
      const grant = await here.locks.acquire(key, { holder: run });
      const waiting = there.locks.acquire(key).then((next) => {
        order.push('next');
        tokens.push(next.token);
        next.release();
      });
      await here.abort({ runId: run.id });
      run.complete();
      await waiting;
      assert.deepEqual(order, ['epilogue', 'next']);
      const [epilogue, next] = tokens as [number, number];
      assert.ok(grant.token < epilogue && epilogue < next);
    },
  },
  {
    name: 'control-writes: writes race takeovers on two nodes: none of an older generation comes after one of a newer',
    timeoutMs: 120_000,
    run: async (bench) => {
      const nodes = await twoControls(bench);
      const key = bench.key();
      const log: number[] = [];
      let isOver = false;
      const writing: Promise<void>[] = [];
      const writes = bench.rounds(10_000);
      for (let round = 0; log.length < writes; round++) {
        const run = await bench.begin(nodes[round % 2] as RunControl, { sessionKey: key });
        const write = async (): Promise<void> => {
          while (!isOver && run.isCurrent()) {
            await run.commit(() => {
              log.push(run.generation);
            });
            await new Promise((resolve) => setImmediate(resolve));
          }
        };
        // The cut is how it ends.
        writing.push(
          write()
            .catch(() => {})
            .finally(() => run.complete()),
        );
        if (bench.random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
      }
      isOver = true;
      await Promise.all(writing);
      for (const [at, generation] of log.entries()) assert.ok(generation >= (log[at - 1] ?? 0), 'no late write');
    },
  },
];
