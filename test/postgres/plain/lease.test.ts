import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Calls } from '../../../src/postgres/calls.js';
import { Lease } from '../../../src/postgres/lease.js';

/** Long beside what a busy machine may take. */
const LEASE_MS = 1_500;

/** A lease on a server that answers a renewal after so many ms. */
async function leased(answersAfterMs: number) {
  const told: string[] = [];
  const call = async (name: string): Promise<unknown> => {
    if (name !== 'renew') return { lifetime: 'l', now: 1 };
    await sleep(answersAfterMs);
    return { lifetime: 'l', now: 1, list: 0, sessions: [] };
  };
  const ear = { channel: 'c', since: 0, newProbe: () => null, ask: () => undefined, start: () => {} };
  const lease = new Lease({ call } as unknown as Calls, LEASE_MS, ear as never, {
    opened: () => {},
    changed: () => {},
    gap: () => told.push('gap'),
    lost: () => told.push('lost'),
  });
  await lease.open();
  return { lease, told };
}

/** As a process that is kept from running. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('a process that slept through its deadline gives a busy server the time to renew it', async () => {
  const { lease, told } = await leased(300);
  standStill(2 * LEASE_MS);
  await expect.poll(() => told, { timeout: 15_000, interval: 5 }).toEqual(['gap']);
  await lease.close();
});

test('one that was awake gives up before the server lets anybody else in', async () => {
  const { lease, told } = await leased(10_000);
  const from = performance.now();
  await expect.poll(() => told, { timeout: 15_000, interval: 1 }).toEqual(['lost']);
  expect(performance.now() - from).toBeGreaterThan(0.7 * LEASE_MS);
  await lease.close();
});
