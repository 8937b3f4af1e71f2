import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { redis } from 'runfence/redis';
import { backendConformance, type ConformanceOptions, type ConformanceStore } from 'runfence/testing';
import { afterAll, beforeAll, test } from 'vitest';
import { isLong, isWhole, times } from '../../support/proofs.js';
import { RedisServer } from '../../support/servers/redis.js';
import { type ClientName, type HostClient, hostClient } from '../support/clients.js';
import { opensForAll } from '../support/leaks.js';
import { bundled } from '../support/processes.js';
import {
  connectionHalfOpen,
  connectionKilled,
  failoverLosesWrites,
  leaseIsItsOwners,
  leaseNotRenewed,
  serverRestarts,
  storeBroken,
} from '../support/staged.js';

const SHORT_LEASE_MS = 2_000;
/** Where no process stands still. */
const LONG_LEASE_MS = 15_000;
/** The suite mostly waits until leases have ended: its parts wait side by side. */
const PARTS = 6;

/**
 * Declares every scenario on one client, or every sixth, from the first, second … on. Those with processes that are
 * killed and stand still mostly wait until leases have ended: `npm run proofs:redis` has them on one client, and
 * `npm run long` on both.
 */
export async function conformancePart(name: ClientName, part?: 1 | 2 | 3 | 4 | 5 | 6): Promise<void> {
  const script = await bundled('conformance');
  const hasProcesses = isLong || (isWhole && name === 'ioredis');
  const leaseMs = hasProcesses ? SHORT_LEASE_MS : LONG_LEASE_MS;
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
    opensForAll();
  });
  afterAll(() => server.remove());

  const open = async (last?: number): Promise<ConformanceStore> => {
    const prefix = randomUUID();
    const clients: HostClient[] = [];
    const connect = async (): Promise<HostClient> => {
      const client = await hostClient(name, server.port);
      clients.push(client);
      return client;
    };
    const host = await connect();
    return {
      address: `${name} ${server.port} ${prefix} ${leaseMs}`,
      connect: async () => {
        const backend = redis((await connect()).client, { prefix, leaseMs });
        if (last !== undefined) {
          await backend.readStops();
          await host.command('HSET', `{rf:${prefix}}:meta`, 'counter', `${last}`);
        }
        return backend;
      },
      footprint: async () => {
        const keys = (await host.command('KEYS', `{rf:${prefix}}:*`)) as string[];
        return keys.length;
      },
      destroy: () => {
        for (const { close } of clients) close();
      },
    };
  };

  let declared = 0;
  backendConformance({
    name: `redis on ${name}${part === undefined ? '' : `, part ${part} of ${PARTS}`}`,
    test: (title, body, timeoutMs) => {
      declared += 1;
      if (part === undefined || declared % PARTS === part % PARTS) test(title, body, timeoutMs);
    },
    afterAll,
    print: (line) => process.stdout.write(`${line}\n`),
    open: () => open(),
    openAt: (_sessionKey, last) => open(last),
    isDurable: true,
    countsFootprint: true,
    processes: hasProcesses
      ? {
          spawn: (address: string) => fork(script, [address], { execArgv: [], serialization: 'advanced' }),
          worker: (address: string) => new Worker(script, { workerData: address }),
          staleMs: leaseMs,
          deadWithinMs: leaseMs + 200,
          selfFences: true,
        }
      : 'with npm run proofs:redis, or npm run long',
    staged: stagedOn(name, hasProcesses),
    // The thousands are made on one client, and more of them, on both, by `npm run long`.
    share: isLong ? 0.1 : times(0.005, name === 'ioredis' ? 0.05 : 0.02),
  });
}

/** Those that mostly wait run with `PROOFS=whole`. */
function stagedOn(name: ClientName, hasProcesses: boolean): NonNullable<ConformanceOptions['staged']> {
  const waits = (scenario: (client: ClientName) => Promise<void>): string | (() => Promise<void>) =>
    hasProcesses ? () => scenario(name) : 'with npm run proofs:redis, or npm run long';
  return {
    'server-restarts': () => serverRestarts(name),
    'failover-loses-writes': () => failoverLosesWrites(name),
    'connection-killed': () => connectionKilled(name),
    'store-broken': () => storeBroken(name),
    'lease-not-renewed': waits(leaseNotRenewed),
    'lease-is-its-owners': waits(leaseIsItsOwners),
    'connection-half-open': waits(connectionHalfOpen),
    'deleted-by-hand': 'what a hand deletes is gone, as after FLUSHALL: failures.test.ts',
  };
}
