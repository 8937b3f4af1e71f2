import { fork } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { backendConformance, type ConformanceStore } from 'runfence/testing';
import { afterAll, beforeAll, inject, test } from 'vitest';
import { isLong, times } from '../../support/proofs.js';
import { type ClientName, type Host, hostOf } from '../support/clients.js';
import { endLease, makeLeasesEndable } from '../support/leases.js';
import { bundled, removeBundles } from '../support/processes.js';
import { newSchema } from '../support/schemas.js';

/** Each scenario of processes waits for it. */
const LEASE_MS = times(1_200, 2_000);
/** Of nodes in this process: what ends it is what the test says. */
const ENDLESS_MS = 3_600_000;

/**
 * Declares every so many-th scenario, on one client. All share a schema: their keys are random.
 *
 * @param hasProcesses - also those of several processes, which mostly wait
 */
export async function conformancePart(
  name: ClientName,
  { part, parts, hasProcesses }: { part: number; parts: number; hasProcesses: boolean },
): Promise<void> {
  const url = inject('postgresUrl');
  const script = await bundled('conformance');
  const schema = newSchema();
  let host: Host;
  beforeAll(async () => {
    host = hostOf(name, url, schema, 20);
    await host.backend().migrate();
    await makeLeasesEndable(host, schema);
  });
  afterAll(async () => {
    await host.query(`drop schema ${schema} cascade`);
    await host.close();
    removeBundles();
  });
  const store = (in_: string): ConformanceStore => ({
    address: `${name} ${url} ${in_} ${LEASE_MS}`,
    connect: () => host.backend({ schema: in_, leaseMs: ENDLESS_MS }),
    endLease: (nodeId) =>
      endLease(
        host,
        in_,
        `select beat from ${in_}.run where node = $1 union select beat from ${in_}.lock where node = $1`,
        [nodeId],
      ),
    destroy: async () => {
      if (in_ !== schema) await host.query(`drop schema ${in_} cascade`);
    },
  });
  let declared = 0;
  backendConformance({
    name: parts === 1 ? name : `${name}, part ${part} of ${parts}`,
    test: (title, body, timeoutMs) => {
      declared += 1;
      if (declared % parts === part % parts) test(title, body, timeoutMs);
    },
    afterAll,
    print: (line) => process.stdout.write(`${line}\n`),
    open: () => store(schema),
    openAt: async (_sessionKey, last) => {
      const own = newSchema();
      await host.backend({ schema: own }).migrate();
      await host.query(`select setval('${own}.number', ${last})`);
      return store(own);
    },
    isDurable: true,
    endsLeases: true,
    processes: hasProcesses
      ? {
          spawn: (address: string) => fork(script, [address], { execArgv: [], serialization: 'advanced' }),
          worker: (address: string) => new Worker(script, { workerData: address }),
          staleMs: LEASE_MS,
          deadWithinMs: LEASE_MS,
          selfFences: true,
        }
      : 'with npm run proofs:postgres, or npm run long',
    // They need a server of their own: `npm run proofs:postgres` makes them all.
    staged: {
      'server-restarts': 'failures/server.test.ts',
      'failover-loses-writes': 'failures/failover.test.ts',
      'lease-not-renewed': 'failures/partition.test.ts',
      'lease-is-its-owners': 'leases.test.ts',
      'connection-killed': 'failures/connections.test.ts',
      'connection-half-open': 'failures/connections.test.ts',
      'store-broken': 'failures/server.test.ts',
    },
    // The thousands are made on one client, and more of them, on both, by `npm run long`.
    share: isLong ? 0.1 : times(0.002, name === 'pg' ? 0.03 : 0.002),
  });
}
