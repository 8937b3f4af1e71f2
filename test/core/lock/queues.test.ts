import { FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { Sessions } from '../../../src/core/internal/sessions.js';
import { PrivateLedger } from '../../../src/core/ledger/private-ledger.js';
import type { LockContext } from '../../../src/core/lock/context.js';
import type { HeldGrant } from '../../../src/core/lock/grant.js';
import { LockQueue } from '../../../src/core/lock/queue.js';
import { Waiter } from '../../../src/core/lock/waiter.js';
import { NodeContext } from '../../../src/core/node-context.js';
import { trackedLock } from '../../support/tracked.js';

const MOST_RESTING = 1_024;

function make(): { queues: Sessions<LockQueue>; use: (sessionKey: string) => LockQueue; restMany: () => void } {
  const runtime = new NodeContext({});
  const queues = new Sessions<LockQueue>();
  const context: LockContext = {
    runtime,
    ledger: new PrivateLedger(runtime),
    writeGraceMs: 5_000,
    isClosed: false,
    idle: (queue) => queues.rest(queue),
  };
  const use = (sessionKey: string): LockQueue =>
    queues.get(sessionKey) ?? queues.add(new LockQueue(sessionKey, context));
  const restMany = (): void => {
    for (let i = 0; i < MOST_RESTING; i++) lock(use(`other-${i}`)).release();
  };
  return { queues, use, restMany };
}

function lock(queue: LockQueue): HeldGrant {
  const waiter = new Waiter(queue, undefined, 0);
  let held: HeldGrant | undefined;
  waiter.tell(
    (grant) => {
      held = grant;
    },
    (error) => {
      throw error;
    },
  );
  queue.join(waiter);
  return held as HeldGrant;
}

test('a session that locks again finds its queue, which counts for nothing while nobody uses it', () => {
  const { queues, use } = make();
  const queue = use('s');
  const grant = lock(queue);
  expect(queues.busy).toEqual([queue]);
  grant.release();
  expect(queues.busy).toEqual([]);
  lock(use('s')).release();
  expect(use('s')).toBe(queue);
});

test('of the queues that nobody uses, the oldest goes when they are too many', () => {
  const { queues, use, restMany } = make();
  lock(use('s')).release();
  restMany();
  expect([queues.get('s'), queues.get('other-0') !== undefined]).toEqual([undefined, true]);
});

test('a queue that is used again stays, however many rest after it, and rests again when it is free', () => {
  const { queues, use, restMany } = make();
  const queue = use('s');
  lock(queue).release();
  const grant = lock(queue);
  restMany();
  expect(queues.get('s')).toBe(queue);
  grant.release();
  expect([queues.get('s'), queues.busy]).toEqual([queue, []]);
  restMany();
  expect(queues.get('s')).toBeUndefined();
});

test('a queue that was dropped and rests once more does not take its successor with it', () => {
  const { queues, use, restMany } = make();
  const dropped = use('s');
  lock(dropped).release();
  restMany();
  const grant = lock(use('s'));
  dropped.pump();
  restMany();
  expect(queues.get('s')?.held).toBe(grant);
  grant.release();
});

test('who had the lock when somebody waited in vain is not said to have it later', async () => {
  const async = new FaultyBackend();
  const clock = new FakeClock();
  const [here, there] = [trackedLock({ backend: async, clock }), trackedLock({ backend: async, clock })];
  const other = await there.acquire('s');
  await expect(here.acquire('s', { timeoutMs: 0 })).rejects.toMatchObject({ holder: { token: other.token } });
  other.release();
  await flush();
  async.hold('lock');
  const late = expect(here.acquire('s', { timeoutMs: 100 })).rejects.toMatchObject({ holder: undefined });
  await clock.advance(100);
  await late;
  async.release('lock');
  await flush();
  expect(await here.holder('s')).toBeUndefined();
});
