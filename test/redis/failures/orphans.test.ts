import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredRun } from 'runfence/backend';
import { redis } from 'runfence/redis';
import { expect, test } from 'vitest';
import { staged, until } from '../support/stage.js';

const KEY = 'session';

test('orphans are told once, and again by another process if the first does not take note of them', () =>
  staged('ioredis', async (stage) => {
    const server = await stage.server();
    const gone = await stage.machine(server.port, { leaseMs: 1_000 });
    const run = await stage.begin(gone, { sessionKey: KEY });
    await gone.proxy.set('refused');
    const told: { by: string; runs: readonly StoredRun[] }[] = [];
    const listen = async (by: string, isAcknowledged: boolean): Promise<() => Promise<void>> => {
      const { host } = await stage.machine(server.port);
      const backend = redis(host.client, { prefix: stage.prefix, leaseMs: 1_000 });
      const remove = backend.subscribe(by, {
        changed: () => {},
        listed: () => {},
        gap: () => {},
        lost: () => {},
        orphaned: (runs, acknowledge) => {
          told.push({ by, runs });
          if (isAcknowledged) acknowledge();
        },
      });
      return async () => {
        remove();
        await backend.close();
      };
    };
    const leaveFirst = await listen('first', false);
    await until('the first is told', () => told.length > 0);
    expect(told[0]?.runs.map(({ runId, reason }) => [runId, reason])).toEqual([[run.id, 'heartbeat-lost']]);
    await leaveFirst();
    const before = told.length;
    const leaveSecond = await listen('second', true);
    await until('the second is told', () => told.length > before);
    expect(told.at(-1)?.by).toBe('second');
    const count = told.length;
    await sleep(2_500);
    expect(told.length).toBe(count);
    await leaveSecond();
  }));
