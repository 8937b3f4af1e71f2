import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';

/** What may keep a process alive, as `process.getActiveResourcesInfo` calls it. */
const OURS = new Set(['TCPSocketWrap', 'TCPConnectWrap', 'ProcessWrap', 'Worker']);
const PATIENCE_MS = 5_000;
const before = open();

// A leak is a bug: a file that leaves a connection, a process or a thread behind fails. Its own clean-up comes first.
afterAll(async () => {
  const end = performance.now() + PATIENCE_MS;
  while (open().length > before.length && performance.now() < end) await sleep(20);
  expect(open()).toEqual(before);
});

function open(): string[] {
  return process.getActiveResourcesInfo().filter((name) => OURS.has(name));
}
