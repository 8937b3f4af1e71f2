import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mutex } from 'async-mutex';
import { lock as lockFile } from 'proper-lockfile';
import { type Grant, SessionLock } from 'runfence';
import { figureOf, ratio } from '../harness/figure.js';
import { type Bench, check, type Row } from '../harness/row.js';
import { keyAt, keys } from '../harness/sessions.js';
import { quantile } from '../harness/statistics.js';

const WAITERS = 10;
const POLL_MS = 10;

/** A lock, and how it is given back. Neither side wraps its own promise: that would be one more turn of the queue. */
interface Lock<T> {
  readonly acquire: () => Promise<T>;
  readonly release: (held: T) => unknown;
}

/** The gaps in ns between a release and the next holder's first step, with ten who wait. */
async function handOver<T>({ acquire, release }: Lock<T>, gaps: number[]): Promise<void> {
  let releasedAt = 0n;
  const first = await acquire();
  let served = 0;
  const waiters = Array.from({ length: WAITERS }, async () => {
    const held = await acquire();
    gaps.push(Number(process.hrtime.bigint() - releasedAt));
    served++;
    releasedAt = process.hrtime.bigint();
    await release(held);
  });
  // All of them are waiting by now, also those that poll a file.
  await new Promise((resolve) => setImmediate(resolve));
  releasedAt = process.hrtime.bigint();
  await release(first);
  await Promise.all(waiters);
  check(served === WAITERS, 'everybody served');
}

async function uncontended(bench: Bench) {
  const locks = new SessionLock();
  const mutexes = new Map<string, Mutex>(keys.map((key) => [key, new Mutex()]));
  return bench.compare([
    {
      name: 'runfence',
      batch: async (operations) => {
        for (let i = 0; i < operations; i++) (await locks.acquire(keyAt(i))).release();
      },
    },
    {
      name: 'async-mutex',
      batch: async (operations) => {
        for (let i = 0; i < operations; i++) (await (mutexes.get(keyAt(i)) as Mutex).acquire())();
      },
    },
  ]);
}

/** One batch is one line of ten; its gaps are kept for their p90. */
async function contended(bench: Bench) {
  const locks = new SessionLock();
  const mutex = new Mutex();
  const gaps: number[] = [];
  const ours: Lock<Grant> = { acquire: () => locks.acquire('chat'), release: (grant) => grant.release() };
  const theirs: Lock<() => void> = { acquire: () => mutex.acquire(), release: (release) => release() };
  const lines = async <T>(lock: Lock<T>, operations: number, into: number[]): Promise<number> => {
    const own: number[] = [];
    for (let i = 0; i < operations; i++) await handOver(lock, own);
    into.push(...own);
    return quantile(own, 0.5) * operations;
  };
  const [fence, peer] = await bench.compare([
    { name: 'runfence', batch: (operations) => lines(ours, operations, gaps), most: 1_000 },
    { name: 'async-mutex', batch: (operations) => lines(theirs, operations, []), most: 1_000 },
  ]);
  return { fence, peer, gaps };
}

async function polled(bench: Bench): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'runfence-bench-'));
  const gaps: number[] = [];
  const retries = { retries: 10_000, factor: 1, minTimeout: POLL_MS, maxTimeout: POLL_MS };
  const lock: Lock<() => Promise<void>> = {
    acquire: () => lockFile(join(folder, 'chat'), { realpath: false, retries }),
    release: (release) => release(),
  };
  try {
    for (let round = 0; round < bench.repetitions(); round++) {
      bench.note(`proper-lockfile, ${round + 1}`);
      await handOver(lock, gaps);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return gaps;
}

export const row: Row = {
  title: 'the lock of a session, in process',
  measure: async (bench) => {
    const [ours, mutex] = await uncontended(bench);
    const { fence, peer, gaps } = await contended(bench);
    const files = await polled(bench);
    const p90 = { ours: quantile(gaps, 0.9), peer: quantile(files, 0.9) };
    return [
      ratio('nobody else wants it', ours, mutex, { budget: 0.25, stretch: 0.12 }),
      ratio('hand-over among 10 who wait', fence, peer, { budget: 1.5, stretch: 1 }),
      {
        ...figureOf('hand-over, p90, against polling a file', 'x', {
          median: p90.ours / p90.peer,
          p10: quantile(gaps, 0.1) / p90.peer,
          p90: quantile(gaps, 0.99) / p90.peer,
        }),
        ours: p90.ours,
        peer: { name: `proper-lockfile every ${POLL_MS} ms`, ns: p90.peer },
        budget: 0.01,
      },
    ];
  },
};
