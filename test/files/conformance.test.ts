import { fork } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { files } from 'runfence/files';
import { backendConformance, type ConformanceStore } from 'runfence/testing';
import { afterAll, test } from 'vitest';

const STALE_MS = 2_000;
const script = new URL('conformance-process.ts', import.meta.url);
const execArgv = ['--import', 'tsx'];

async function open(): Promise<ConformanceStore> {
  const dir = await mkdtemp(join(tmpdir(), 'runfence-conformance-'));
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
  open,
  isDurable: true,
  countsFootprint: true,
  processes: {
    spawn: (address) => fork(script, [address], { execArgv, serialization: 'advanced' }),
    worker: (address) => new Worker(new URL('conformance-thread.mjs', import.meta.url), { workerData: address }),
    staleMs: STALE_MS,
  },
  share: 0.05,
});
