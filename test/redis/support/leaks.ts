import { afterAll, afterEach, expect } from 'vitest';
import { serversLeft } from '../../support/servers/redis.js';
import { removeBundles } from './processes.js';

/** What a backend may have open. Its timers keep no process, and are not named here. */
const OURS = new Set(['TCPSocketWrap', 'Worker']);
let before: string[] = open();

// A leak is a bug: a test that leaves a connection or a thread behind fails.
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') return;
  await expect.poll(opened, { timeout: 15_000, interval: 20 }).toEqual([]);
});

afterAll(async () => {
  removeBundles();
  expect(await serversLeft(), 'servers that a file has left').toEqual([]);
});

/** What a file opens for all its tests is not a leak of the first of them. */
export function opensForAll(): void {
  before = open();
}

function open(): string[] {
  return process.getActiveResourcesInfo().filter((name) => OURS.has(name));
}

function opened(): string[] {
  const now = open();
  for (const name of before) {
    const at = now.indexOf(name);
    if (at >= 0) now.splice(at, 1);
  }
  return now;
}
