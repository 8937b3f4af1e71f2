import { strict as assert } from 'node:assert';
import { isRunfenceError, type LockTimeoutError, type RunControl } from '../../index.js';
import type { Scenario } from './scenario.js';
import { STOPS } from './ways-to-stop.js';

const LONGEST_MS: readonly number[] = [2 ** 31, Number.POSITIVE_INFINITY];

/** Waiting for a lock: in order, abortable, and never for a run that is over. */
export const waiting: readonly Scenario[] = [
  {
    name: 'waiters-in-order: 8 waiters of one node are served in the order in which they came',
    run: async (bench) => {
      const control = await bench.control();
      const key = bench.key();
      const first = await control.locks.acquire(key);
      const order: number[] = [];
      const waiters = Array.from({ length: 8 }, async (_, at) => {
        const grant = await control.locks.acquire(key);
        order.push(at);
        grant.release();
      });
      first.release();
      await Promise.all(waiters);
      assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7]);
    },
  },
  {
    name: 'waiter-aborted: an aborted waiter is refused at once and leaves the queue, and the next is served',
    run: async (bench) => {
      const [control, other] = [await bench.control(), await bench.control()];
      const key = bench.key();
      const held = await other.locks.acquire(key);
      const stop = new AbortController();
      const refused = assert.rejects(control.locks.acquire(key, { signal: stop.signal }), /gone/);
      const next = control.locks.acquire(key);
      const start = performance.now();
      stop.abort(new Error('gone'));
      await refused;
      assert.ok(performance.now() - start < 250, 'at once, and not when its time is over');
      held.release();
      (await next).release();
    },
  },
  {
    name: 'waiters-aborted-anytime: waiters are aborted at any moment of the acquiring: a grant or a refusal, and never a lock left over',
    timeoutMs: 120_000,
    run: async (bench) => {
      const nodes = [await bench.control(), await bench.control()];
      const key = bench.key();
      for (let round = 0; round < bench.rounds(1_000); round++) {
        const stop = new AbortController();
        const control = nodes[round % 2] as RunControl;
        const acquired = control.locks.acquire(key, { signal: stop.signal }).then(
          (grant) => grant.release(),
          (error: unknown) => assert.match(String(error), /gone/),
        );
        for (let turn = bench.random.below(12); turn > 0; turn--) {
          if (bench.random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve));
          else await Promise.resolve();
        }
        stop.abort(new Error('gone'));
        await acquired;
      }
      const observer = await bench.node();
      await bench.eventually('the lock is free', async () => (await observer.holder(key)) === undefined);
    },
  },
  {
    name: 'own-lock: a control that asks for the lock it has is refused, with its own run as the holder',
    run: async (bench) => {
      const [control, other] = [await bench.control(), await bench.control()];
      const key = bench.key();
      const run = await bench.begin(control, { sessionKey: key });
      const grant = await control.locks.acquire(key, { holder: run });
      for (const asking of [control, other]) {
        await assert.rejects(asking.locks.acquire(key, { timeoutMs: 0 }), (error: LockTimeoutError) => {
          assert.deepEqual([error.code, error.holder?.runId], ['LOCK_TIMEOUT', run.id]);
          return isRunfenceError(error);
        });
      }
      grant.release();
    },
  },
  {
    name: 'free-at-abort: the lock is free at the abort, although the work ignores its signal',
    run: async (bench) => {
      const [here, there] = [await bench.control(), await bench.control()];
      for (const way of STOPS) {
        const key = bench.key();
        const { run, stop, unwind } = await way.start(bench, here, key);
        const observer = await bench.node();
        assert.notEqual(await observer.holder(key), undefined, `${way.reason}: held before the stop`);
        await assert.rejects(there.locks.acquire(key, { timeoutMs: 0 }), { code: 'LOCK_TIMEOUT' });
        const acquiring = there.locks.acquire(key, { timeoutMs: 5_000 });
        await stop();
        const grant = await acquiring;
        assert.equal(run.reason, way.reason);
        grant.release();
        unwind();
        await bench.eventually(`${way.reason}: nothing is held at the end`, async () => {
          return (await observer.holder(key)) === undefined;
        });
      }
    },
  },
  {
    name: 'long-waits: waits of 2^31 ms and of Infinity do not end early',
    run: async (bench) => {
      const control = await bench.control();
      const key = bench.key();
      const held = await control.locks.acquire(key);
      const waiters = LONGEST_MS.map((timeoutMs) => control.locks.acquire(key, { timeoutMs }));
      const run = await bench.begin(control, { sessionKey: bench.key(), timeoutMs: 2 ** 31 });
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(run.isCurrent(), true);
      held.release();
      for (const waiter of waiters) (await waiter).release();
    },
  },
];
