import { fork } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { files } from 'runfence/files';
import { backendConformance, type ConformanceStore } from 'runfence/testing';
import { afterAll, test } from 'vitest';
import { isWhole, times } from '../../support/proofs.js';
import { folder } from '../support/folders.js';
import { bundled } from '../support/processes.js';
import { deletedByHand, failingDisk, folderAt, reusedPid } from '../support/staged.js';

const STALE_MS = 2_000;
/** The suite mostly waits until processes have stood still for long enough: its parts wait side by side. */
const PARTS = 4;

function storeIn(dir: string): ConformanceStore {
  return {
    address: dir,
    connect: () => files({ dir, staleMs: STALE_MS, durable: false }),
    footprint: async () => (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.json')).length,
    destroy: () => rm(dir, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Declares every fourth scenario, from the first, second, third or fourth on. */
export async function conformancePart(part: 1 | 2 | 3 | 4): Promise<void> {
  const script = await bundled('conformance');
  let declared = 0;
  backendConformance({
    name: `files, part ${part} of ${PARTS}`,
    test: (name, body, timeoutMs) => {
      declared += 1;
      if (declared % PARTS === part % PARTS) test(name, body, timeoutMs);
    },
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
    // Those with processes that stand still mostly wait until they are taken for dead: `npm run proofs` has them.
    processes: isWhole
      ? {
          spawn: (address) => fork(script, [address], { execArgv: [], serialization: 'advanced' }),
          worker: (address) => new Worker(script, { workerData: address }),
          staleMs: STALE_MS,
          selfFences: true,
        }
      : 'with npm run proofs',
    staged: {
      'pid-of-another': reusedPid,
      'deleted-by-hand': deletedByHand,
      'store-broken': failingDisk,
      'lease-is-its-owners': 'it takes two processes: leases.test.ts',
      'slow-release': 'a grant has no heartbeat of its own: the process has one, which is released when it closes',
    },
    share: times(0.004, 0.1),
  });
}
