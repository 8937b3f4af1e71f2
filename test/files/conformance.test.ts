import { fork } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { files } from 'runfence/files';
import { backendConformance, type ConformanceStore } from 'runfence/testing';
import { afterAll, test, vi } from 'vitest';
import { folder } from './support/folders.js';
import { deletedByHand, failingDisk, folderAt, reusedPid } from './support/staged.js';

vi.mock('node:fs/promises', async (original) => (await import('./support/disk.js')).interposed(await original()));

const STALE_MS = 2_000;
const script = new URL('conformance-process.ts', import.meta.url);
const execArgv = ['--import', 'tsx'];

function storeIn(dir: string): ConformanceStore {
  return {
    address: dir,
    connect: () => files({ dir, staleMs: STALE_MS, durable: false }),
    footprint: async () => (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.json')).length,
    destroy: () => rm(dir, { recursive: true, force: true, maxRetries: 3 }),
  };
}

backendConformance({
  name: 'files',
  test,
  afterAll,
  print: (line) => process.stdout.write(`${line}\n`),
  open: () => storeIn(folder()),
  openAt: async (sessionKey, last) => {
    const dir = folder();
    await folderAt(dir, sessionKey, last);
    return storeIn(dir);
  },
  isDurable: true,
  countsFootprint: true,
  processes: {
    spawn: (address) => fork(script, [address], { execArgv, serialization: 'advanced' }),
    worker: (address) => new Worker(new URL('conformance-thread.mjs', import.meta.url), { workerData: address }),
    staleMs: STALE_MS,
    selfFences: true,
  },
  staged: {
    'pid-of-another': reusedPid,
    'deleted-by-hand': deletedByHand,
    'store-broken': failingDisk,
    'lease-is-its-owners': 'it takes two processes: leases.test.ts',
    'slow-release': 'a grant has no heartbeat of its own: the process has one, which is released when it closes',
  },
  share: 0.05,
});
